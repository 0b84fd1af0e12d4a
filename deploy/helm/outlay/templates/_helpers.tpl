{{/* Labels of a component: (dict "root" $ "name" "ingest") */}}
{{- define "outlay.labels" -}}
{{ include "outlay.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end }}

{{- define "outlay.selector" -}}
app.kubernetes.io/name: outlay
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- define "outlay.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{/* A pod's rights: no root, no token, no capabilities. */}}
{{- define "outlay.pod" -}}
automountServiceAccountToken: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.image.pullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "outlay.container" -}}
image: {{ include "outlay.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{/* Environment that every process has: where Kafka and ClickHouse are. */}}
{{- define "outlay.env" -}}
- {name: OUTLAY_KAFKA, value: {{ .Values.kafka.bootstrap | quote }}}
{{- range $name, $value := .Values.kafka.settings }}
- {name: OUTLAY_KAFKA_{{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- with .Values.kafka.passwordSecret }}
- {name: OUTLAY_KAFKA_PASSWORD, valueFrom: {secretKeyRef: {name: {{ . }}, key: kafka-password}}}
{{- end }}
{{- if .Values.kafka.caSecret }}
- {name: OUTLAY_KAFKA_CA_FILE, value: /kafka/ca.crt}
{{- end }}
{{- range $name, $value := .Values.env }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- end }}

{{/* (dict "root" $ "user" "writer" | "console") */}}
{{- define "outlay.clickhouse" -}}
- {name: OUTLAY_CLICKHOUSE, value: {{ .root.Values.clickhouse.url | quote }}}
{{- $secret := .root.Values.secrets.stores }}
{{- if eq .user "writer" }}
- {name: OUTLAY_CLICKHOUSE_USER, value: {{ .root.Values.clickhouse.user | quote }}}
- {name: OUTLAY_CLICKHOUSE_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: clickhouse-password}}}
{{- else }}
- {name: OUTLAY_CLICKHOUSE_USER, value: {{ .root.Values.clickhouse.reader | quote }}}
- {name: OUTLAY_CLICKHOUSE_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: reader-password}}}
- {name: OUTLAY_CONSOLE_WRITER_USER, value: {{ .root.Values.clickhouse.consoleWriter | quote }}}
- {name: OUTLAY_CONSOLE_WRITER_PASSWORD, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: console-writer-password}}}
{{- end }}
{{- end }}
