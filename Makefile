# Each target is what a person could type. `make demo` and `make test` do all set-up by themselves.
PYTHON ?= python3
BIN := .venv/bin
EXTRAS := ingest spotter interpolator magnifier flow roi_au trainer console s3 kafka local
COMPILE := $(BIN)/uv pip compile --universal --generate-hashes --quiet --custom-compile-command "make lock"

# The flow's kernels, compiled into their cache: half a minute that the first run does not spend.
define COMPILE_KERNELS
import numpy; from services.flow.black_anandan import estimate_flow
pair = numpy.random.default_rng(0).uniform(0, 255, (2, 1, 64, 64))
[estimate_flow(*pair, profile) for profile in ("corrected", "paper")]
endef
export COMPILE_KERNELS

.PHONY: setup demo test test-all torture hostile servers lint lock sbom weights bench bench-bus gpu-bundle gpu-check images up down e2e gen screenshots k8s-test clean

demo: setup
	$(BIN)/mer demo

# One process per core, each with servers of its own. A file's tests stay together, for what they share.
PYTEST := $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# The short suite: every property once, with a real Kafka, MinIO and SeaweedFS.
test: lint servers
	$(PYTEST) -m "not exhaustive"

# Everything, as CI runs it.
test-all: lint servers
	$(PYTEST)

# Every kind of fault at once for 20 minutes on 10,000 small clips, then an audit. TORTURE='--minutes 2 --clips 300' and so on.
torture: servers
	PYTHONPATH=. $(BIN)/python -m tests.torture $(TORTURE)

# A thousand hostile inputs of every kind through every entry. HOSTILE='--seed 7 --kinds image' and so on.
hostile: setup
	PYTHONPATH=. $(BIN)/python -m tests.hostile --count 1000 $(HOSTILE)

# The servers and the browser that tests start, kept in the user's cache. The first time builds MinIO, which takes minutes.
servers: setup
	$(BIN)/python -m tests.servers

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Modules without a main, and scripts that draw pictures or need servers, a GPU, a run, a dataset or a recording.
MODULES = common.py table.py drawn_features.py drawn_maps.py flow_peers.py known_motions.py gpu_features.py gpu_parts.py gpu_tests.py gpu_timing.py gpu_training.py
ON_DEMAND = $(addprefix benchmarks/,$(MODULES) truth_pictures.py bus.py imbalance.py ablation.py uncoded.py label_ceiling.py real_camera.py landmarks.py)
ON_DEMAND += benchmarks/gpu.py benchmarks/gpu_bundle.py benchmarks/scale_inbox.py
bench: setup
	for script in $(filter-out $(ON_DEMAND),$(wildcard benchmarks/*.py)); do echo "== $$script"; PYTHONPATH=. $(BIN)/python $$script || exit 1; done

bench-bus: setup
	PYTHONPATH=. $(BIN)/python benchmarks/bus.py

# What a machine with a GPU and without a network needs, in gpu-bundle/ (docs/how-to/gpu.md).
gpu-bundle: setup
	PYTHONPATH=. $(BIN)/python benchmarks/gpu_bundle.py $(GPU_BUNDLE)

# On that machine, its own packages and those of gpu-bundle/ take the place of .venv. GPU='--part flow' and the like.
GPU_PYTHON = $(if $(wildcard $(BIN)/python),PYTHONPATH=. $(BIN)/python,PYTHONPATH=.:gpu-bundle/packages $(PYTHON))
gpu-check:
	$(GPU_PYTHON) benchmarks/gpu.py $(GPU)

setup: .venv/ready

.venv/ready: requirements/dev.txt requirements/uv.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, this is " + sys.version)'
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	$(BIN)/uv pip sync --quiet --require-hashes --compile-bytecode requirements/dev.txt
	$(BIN)/uv pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/mer weights
	$(BIN)/python -c "$$COMPILE_KERNELS"
	touch $@

# One hashed file per service, all of one choice of versions; no file names an index.
lock: .venv/ready
	$(COMPILE) pyproject.toml --extra dev --upgrade -o requirements/dev.txt
	for extra in $(EXTRAS); do $(COMPILE) pyproject.toml --extra $$extra -c requirements/dev.txt --no-annotate -o requirements/$$extra.txt || exit 1; done
	for group in dlib_source dlib_cuda dlib_cuda_build; do $(COMPILE) --group $$group --upgrade --no-annotate -o requirements/$$group.txt || exit 1; done
	for tool in uv cyclonedx-bom; do echo $$tool | $(COMPILE) - --upgrade --no-annotate -o requirements/$$tool.txt || exit 1; done

# A software bill of materials (CycloneDX) of every lock file, in sbom/: no index and no database is asked.
sbom: setup
	mkdir -p sbom
	for lock in requirements/*.txt; do \
	  $(BIN)/uv tool run --constraints requirements/cyclonedx-bom.txt --from cyclonedx-bom cyclonedx-py requirements $$lock \
	    --output-reproducible --of JSON -o sbom/$$(basename $$lock .txt).json || exit 1; \
	done

# The whole pipeline in containers (docs/how-to/compose.md). CA_BUNDLE and PIP_CONF may lie outside the checkout.
images:
	BUILDX_BAKE_ENTITLEMENTS_FS=0 docker compose build

# Its secrets are made at the first start, in the folder $(SECRETS), which .env names. SECURE=1: TLS, and logins to Kafka.
SECRETS ?= ./secrets
export SECRETS
ifdef SECURE
export COMPOSE_FILE := docker-compose.yml:docker-compose.secure.yml
endif
up: images
	$(PYTHON) docker/make_secrets.py $(SECRETS)
	docker compose up --detach --wait --no-build
	$(if $(SECURE),docker compose cp kafka:/tls/ca.crt $(SECRETS)/ca.crt)
	$(if $(SECURE),docker compose cp minio:/store-tls/public.crt $(SECRETS)/store.crt)

# What was computed stays in the volumes; `docker compose down --volumes` throws it away.
down:
	docker compose --profile '*' down --remove-orphans

e2e: setup
	$(BIN)/pytest -x tests/e2e/test_stack.py

# Every generated file: manifests from shared/bus/topics.py and k8s/scaling.py, and the pages that docs/generate.py lists.
gen: setup
	$(BIN)/python -m k8s.generate

# The pictures of the console in docs/images, of a drawn dataset (minutes the first time). They need Chromium.
screenshots: setup
	PYTHONPATH=. $(BIN)/python docs/screenshots.py

# On the cluster in $KUBECONFIG, in a namespace of its own; its nodes have the images.
k8s-test: setup
	MERSTREAM_TEST_K8S=1 $(BIN)/pytest -x tests/unit/test_k8s.py tests/e2e/test_k8s.py

weights: setup
	$(BIN)/mer weights

clean:
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis out
