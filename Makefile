# make run: set up and serve the embedded bundle. make test: set up and run the tests. Both need python3 (3.11 or
# later) and a C++ compiler; the environment is built in .venv when it is missing or a requirements file changed.

SHELL := /bin/bash -o pipefail
PYTHON ?= python3
BIN := .venv/bin
GRADIO := $(shell sed -n 's/^sdk_version: *//p' README.md)
LLAMA := $(shell grep '^llama-cpp-python' requirements.txt)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint bench bundle demo-train setup clean

run: .venv/.serve
	$(BIN)/python app.py

test: .venv/.develop
	$(BIN)/python -m pytest

lint: .venv/.develop
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: .venv/.develop
	$(BIN)/python -m tests.bench.bench_space
	$(BIN)/python -m tests.bench.bench_index

demo-train: .venv/.develop
	$(BIN)/python -m pytest -m e2e -s --durations=0

bundle: .venv/.develop
	$(BIN)/python -m train.embedded

setup: .venv/.develop

clean:
	rm -rf .venv .cache

.venv/.llama: requirements.txt space/llama_build.cmake
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Building llama.cpp for this machine: 2 to 4 minutes on two cores, once. Log: .venv/llama.log"
	@CMAKE_ARGS='-DCMAKE_PROJECT_llama_cpp_INCLUDE="$(CURDIR)/space/llama_build.cmake"' CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc 2>/dev/null || echo 2) \
	    $(BIN)/python -m pip install --verbose -r <(echo '$(LLAMA)') > .venv/llama.log 2>&1 & pid=$$!; \
	    tail -f --pid=$$pid -n +1 .venv/llama.log 2>/dev/null | sed -un 's/^ *\(\[[0-9]*\/[0-9]*\]\) *Building.* \([^ ]*\)\.o.*$$/  \1 \2/p' ; \
	    wait $$pid || { tail -n 40 .venv/llama.log; exit 1; }
	@touch $@

.venv/.serve: .venv/.llama README.md
	@echo "Installing the libraries of the Space"
	@$(BIN)/python -m pip install --quiet -r requirements.txt "gradio==$(GRADIO)"
	@touch $@

.venv/.develop: .venv/.serve train/requirements.txt tests/requirements.txt
	@echo "Installing the training and test libraries (torch among them: some minutes)"
	@$(BIN)/python -m pip install --quiet -r train/requirements.txt -r tests/requirements.txt
	@touch $@
