# Shorthands for people who like make; nothing needs it. The README's two lines do the same.
.PHONY: setup run test lint sbom audit docs bench lock

setup:
	python3 -m venv .venv
	.venv/bin/pip install -q --require-hashes -r requirements-dev.lock
	.venv/bin/pip install -q --no-deps --no-build-isolation -e .

run:
	.venv/bin/gaiarouter serve

test:
	.venv/bin/pytest -n 2 --dist loadfile

lint:
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy gaiarouter bench

docs:
	.venv/bin/sphinx-build -W -n -q -a -E docs build/site

sbom:
	.venv/bin/python .ci/bill_of_materials.py

audit:
	.venv/bin/python .ci/audit.py

bench:
	.venv/bin/python -m bench

# A release less than a week old stays out, unless it mends a hole.
LOCK = uv pip compile setup.cfg --quiet --universal --no-strip-extras --generate-hashes --no-header --exclude-newer "$$(date -u -d '7 days ago' +%F)"
lock:
	$(LOCK) -o requirements.lock
	$(LOCK) --extra dev -o requirements-dev.lock
	echo "pip-audit>=2.10,<3" | $(subst compile setup.cfg,compile -,$(LOCK)) -o .ci/audit.lock
