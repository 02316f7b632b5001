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

# Remakes space/bundle from texts, step by step under runs/. DATA holds the archives described in docs/bundle.md.
DATA ?= ../shared/data
MINUTES ?= 60
TRAIN = $(BIN)/python -m train

bundle: .venv/.develop
	$(MAKE) --no-print-directory space/bundle/bundle.json

runs/texts:
	mkdir -p $@.part
	for archive in amlo cfk prose; do tar -xJf $(DATA)/$$archive.tar.xz -C $@.part; done
	mv $@.part $@

runs/amlo/prepared.json: | runs/texts
	$(TRAIN) prepare conference runs/texts/amlo --speaker "Andrés Manuel López Obrador" --max-words 330 --out runs/amlo

runs/cfk/prepared.json: | runs/texts
	$(TRAIN) prepare conference runs/texts/cfk --speaker "Cristina Fernández de Kirchner" --alias PRESIDENTA \
	    --unlabelled keep --max-words 330 --out runs/cfk

runs/%/grounded.jsonl: runs/%/prepared.json
	$(TRAIN) ground runs/$* --limit 3000 --out $@

runs/mini/pretrain.json: runs/amlo/grounded.jsonl runs/cfk/grounded.jsonl
	$(TRAIN) pretrain runs/texts/amlo=25 runs/texts/cfk runs/texts/prose/novelas_conha19=15 --out runs/mini --layers 4 \
	    --batch 4 --sequence 1024 --minutes $(MINUTES) --examples-from 0.35 \
	    --examples runs/amlo/train.jsonl runs/cfk/train.jsonl runs/amlo/grounded.jsonl runs/cfk/grounded.jsonl

runs/talks/prepared.json: $(wildcard train/texts/talks/*.md)
	$(TRAIN) prepare speech train/texts/talks --out runs/talks --force

runs/charlas/run.json: runs/mini/pretrain.json runs/talks/prepared.json
	$(TRAIN) sft --data runs/talks --base runs/mini/model --out runs/charlas --batch 2 --accumulation 2 \
	    --learning-rate 2e-3 --epochs 6

runs/gguf/export.json: runs/charlas/run.json
	$(TRAIN) export --base runs/mini/model --adapter runs/charlas/adapter --out runs/gguf --quantize Q8_0 --name phi3-orador-mini-es

runs/orador-es-256/model.safetensors: | runs/texts
	$(BIN)/python -m tests.bench.amlo_pairs $(DATA)/amlo_qa_pairs.jsonl runs/texts --out runs/pairs
	$(BIN)/python -m index embedder runs/pairs/documents.jsonl runs/pairs/train.json runs/pairs/turns.json runs/texts/cfk runs/texts/prose \
	    --out runs/orador-es-256

runs/index/index.json: runs/orador-es-256/model.safetensors runs/talks/prepared.json
	$(BIN)/python -m index build runs/talks/documents.jsonl --embedder runs/orador-es-256 --words 90 --out runs/index

space/bundle/bundle.json: runs/gguf/export.json runs/index/index.json
	$(TRAIN) bundle --base $$(ls runs/gguf/*Q8_0.gguf) --adapter charlas=$$(ls runs/gguf/*-LoRA.gguf) --index charlas=runs/index \
	    --data runs/talks --name orador-mini-es --title-es "Charlas" --title-en "Talks" \
	    --examples train/texts/examples.json --report runs/mini/pretrain.json --license cc-by-sa-4.0 --out space/bundle

setup: .venv/.develop

clean:
	rm -rf .venv .cache

.venv/.llama: requirements.txt space/llama_build.cmake
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Building llama.cpp for this machine: 2 to 4 minutes on two cores, once. Log: .venv/llama.log"
	@: > .venv/llama.log
	@CMAKE_ARGS='-DCMAKE_PROJECT_llama_cpp_INCLUDE="$(CURDIR)/space/llama_build.cmake"' CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc 2>/dev/null || echo 2) \
	    $(BIN)/python -m pip install --verbose -r <(echo '$(LLAMA)') > .venv/llama.log 2>&1 & pid=$$!; \
	    tail -f --pid=$$pid -n +1 .venv/llama.log 2>/dev/null | sed -un 's|^ *\(\[[0-9]*/[0-9]*\]\).*/\([^/ ]*\)$$|  \1 \2|p'; \
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
