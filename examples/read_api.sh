#!/bin/sh
# Read the cost of this month by team and model as JSON. The key needs the scope `read`.
set -eu
curl --fail-with-body --silent --show-error \
  -H "Authorization: Bearer $OUTLAY_READ_KEY" \
  "$OUTLAY_CONSOLE_URL/api/v1/reports/showback?by=team,model&from=$(date -u +%Y-%m)"
