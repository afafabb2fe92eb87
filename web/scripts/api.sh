#!/usr/bin/env bash
# Write src/api/schema.d.ts from the server's own description; with --check, fail where it is not up to date.
set -euo pipefail
cd "$(dirname "$0")/.."
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"${PYTHON:-../.venv/bin/python}" scripts/describe_api.py > "$made/openapi.json"
npx openapi-typescript "$made/openapi.json" --default-non-nullable=false --output "$made/schema.d.ts" > /dev/null
if [ "${1:-}" = --check ]; then
  diff -u src/api/schema.d.ts "$made/schema.d.ts" || { echo "src/api/schema.d.ts is out of date: npm run api"; exit 1; }
else
  cp "$made/schema.d.ts" src/api/schema.d.ts
fi
