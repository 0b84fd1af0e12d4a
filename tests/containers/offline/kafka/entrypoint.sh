#!/bin/bash
# As the stock image does: turn KAFKA_* into properties, format the folder once, and start the broker.
set -e
jars=/opt/kafka/libs/*
said=$(CLUSTER_ID=${CLUSTER_ID:-5L6g3nShT-eMCtK--X86sw} /opt/java/bin/java -cp "$jars" kafka.docker.KafkaDockerWrapper setup \
  --default-configs-dir /etc/kafka/docker --mounted-configs-dir /mnt/shared/config --final-configs-dir /opt/kafka/config 2>&1) \
  || { echo "$said"; grep -qi 'already formatted' <<<"$said"; }
exec /opt/java/bin/java ${KAFKA_HEAP_OPTS:--Xmx1g -Xms256m} -XX:+UseSerialGC -XX:+ExitOnOutOfMemoryError \
  -Dlog4j2.configurationFile=/opt/kafka/config/log4j2.yaml -cp "$jars" kafka.Kafka /opt/kafka/config/server.properties
