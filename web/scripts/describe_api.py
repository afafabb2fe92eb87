"""Print the OpenAPI document of the server, from which src/api/schema.d.ts is made (`npm run api`)."""

from __future__ import annotations

import json

from graphgen.server.app import ROUTES
from graphgen.server.openapi import describe

print(json.dumps(describe(ROUTES)))
