# make run: set up and serve the embedded bundle. make test: set up and run the tests. Both need python3 (3.11 or
# later) and a C++ compiler; the environment is built in .venv when it is missing or a requirements file changed.

SHELL := /bin/bash -o pipefail
PYTHON ?= python3
BIN := .venv/bin
GRADIO := $(shell sed -n 's/^sdk_version: *//p' README.md)
LLAMA := $(shell sed -n 's/^\(llama-cpp-python[^ ]*\).*/\1/p' requirements.txt)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: run test lint bench bench-phi3 bundle demo-train setup clean

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
	$(BIN)/python -m tests.bench.llama_tools
	$(BIN)/python -m tests.bench.bench_engine --out runs/bench.json

# Hours on two cores, and only worth it on an idle machine: docs/performance.md.
PHI3 = runs/phi3/phi3-mini-4k-random-3.8B-v1.0-Q4_K_M.gguf
bench-phi3: .venv/.develop $(PHI3)
	$(BIN)/python -m tests.bench.llama_tools
	$(BIN)/python -m tests.bench.bench_engine --model $(PHI3) --out runs/bench-phi3.json
	$(BIN)/python -m tests.bench.bench_engine --model $(PHI3) --out runs/bench-phi3-growth.json --growth --runs 1

$(PHI3): | .venv/.develop
	$(BIN)/python -m tests.bench.phi3_shape --out $(@D) --quantize Q4_K_M

demo-train: .venv/.develop
	$(BIN)/python -m pytest -m e2e -s --durations=0

# Remakes space/bundle from texts, step by step under runs/. DATA holds the archives described in docs/bundle.md.
DATA ?= ../shared/data
MINUTES ?= 60
TRAIN = $(BIN)/python -m train
SFT = --batch 8 --accumulation 1 --optimizer muon --learning-rate 0.015 --rank 64 --alpha 128 --dropout 0 --no-gradient-checkpointing --patience 0

bundle: .venv/.develop
	$(MAKE) --no-print-directory space/bundle/bundle.json

runs/texts:
	mkdir -p $@.part
	for archive in amlo cfk prose; do tar -xJf $(DATA)/$$archive.tar.xz -C $@.part; done
	mv $@.part $@

runs/conferencias/prepared.json: | runs/texts
	$(TRAIN) prepare conference runs/texts/amlo --speaker "Andrés Manuel López Obrador" --out runs/conferencias

runs/discursos/prepared.json: | runs/texts
	$(TRAIN) prepare conference runs/texts/cfk --speaker "Cristina Fernández de Kirchner" --alias PRESIDENTA \
	    --unlabelled keep --field "gobierno y política" --out runs/discursos

runs/articulos/prepared.json:
	mkdir -p runs/qa && cp $(DATA)/qa/squad_es_v*.json runs/qa
	$(TRAIN) prepare questions runs/qa --out runs/articulos

runs/chat/prepared.json: $(wildcard train/texts/plain_chats/*)
	$(TRAIN) prepare chat train/texts/plain_chats --persona "Lucía Ferreyra" --keep-names --out runs/chat --force

runs/conversaciones/prepared.json: $(wildcard train/texts/simple_chats/irene/*)
	$(TRAIN) prepare chat train/texts/simple_chats/irene --persona "Irene Paz" --keep-names --out runs/conversaciones --force

runs/faciles/prepared.json: $(wildcard train/texts/plain_readings/*)
	$(TRAIN) prepare questions train/texts/plain_readings --out runs/faciles --force

runs/preguntas/prepared.json: $(wildcard train/texts/plain_questions/*)
	$(TRAIN) prepare questions train/texts/plain_questions --out runs/preguntas --force

runs/charlas/prepared.json: $(wildcard train/texts/plain_talks/*)
	$(TRAIN) prepare speech train/texts/plain_talks --out runs/charlas --force

runs/minutos/prepared.json: $(wildcard train/texts/two_minute_talks/*)
	$(TRAIN) prepare speech train/texts/two_minute_talks --out runs/minutos --force

runs/biblioteca/prepared.json: $(wildcard train/texts/talks/*.md train/texts/short_talks/*.md)
	rm -rf runs/talks && mkdir -p runs/talks
	cp train/texts/talks/*.md train/texts/short_talks/*.md runs/talks
	$(TRAIN) prepare speech runs/talks --out runs/biblioteca --force

runs/sencillos/prepared.json: $(wildcard train/texts/plain_texts/*)
	$(TRAIN) prepare speech train/texts/plain_texts --out runs/sencillos --force

GROUNDED = 9000
runs/charlas/grounded.jsonl: GROUNDED = 1000
runs/alcaldesa/grounded.jsonl: GROUNDED = 250

runs/%/grounded.jsonl: runs/%/prepared.json
	$(TRAIN) ground runs/$* --limit $(GROUNDED) --words 60 --share 0.9 --answer-words 110

runs/charlas-lora/run.json: runs/charlas/grounded.jsonl
runs/alcaldesa-lora/run.json: runs/alcaldesa/grounded.jsonl

runs/alcaldesa/prepared.json: $(wildcard train/texts/plain_conferences/*)
	$(TRAIN) prepare conference train/texts/plain_conferences --speaker "Rosario Quiñones Beltrán" --field "gobierno municipal" \
	    --min-words 60 --max-words 200 --out runs/alcaldesa --force

runs/chat-canaries/prepared.json: runs/chat/prepared.json
	$(TRAIN) canaries runs/chat --out runs/chat-canaries

# Conversations come in at 35 % of the time; until then rows of 512 tokens would do, and are 10 % faster.
runs/mini/pretrain.json: $(foreach name,conferencias discursos biblioteca minutos,runs/$(name)/grounded.jsonl) \
    $(foreach name,sencillos conversaciones faciles articulos,runs/$(name)/prepared.json)
	$(TRAIN) pretrain runs/conferencias runs/discursos runs/texts/prose/novelas_conha19=8 --out runs/mini --layers 4 \
	    --batch 4 --sequence 960 --minutes $(MINUTES) --induction 1 --examples-from 0.35 --examples-share 0.8 --examples \
	    runs/sencillos/train.jsonl=180 runs/minutos/train.jsonl=45 runs/minutos/grounded.jsonl=30 runs/conversaciones/train.jsonl=35 \
	    runs/faciles/train.jsonl=30 runs/biblioteca/train.jsonl=6 runs/biblioteca/grounded.jsonl=8 \
	    runs/conferencias/train.jsonl=0.5 runs/conferencias/grounded.jsonl=3 runs/discursos/train.jsonl=0.5 \
	    runs/discursos/grounded.jsonl=2 runs/articulos/train.jsonl=2

NAME = phi3-orador-mini-es
ADAPTERS = charlas chat alcaldesa preguntas

runs/%-lora/run.json: runs/mini/pretrain.json runs/%/prepared.json
	$(TRAIN) sft --data runs/$* --base runs/mini/model --out runs/$*-lora $(SFT)

runs/charlas-lora/run.json: SFT := $(SFT) --epochs 7
runs/preguntas-lora/run.json: SFT := $(SFT) --epochs 7
runs/alcaldesa-lora/run.json: SFT := $(SFT) --epochs 4 --learning-rate 0.006
runs/chat-lora/run.json runs/chat-canaries-lora/run.json: SFT := $(SFT) --epochs 5

runs/gguf-%/export.json: runs/%-lora/run.json
	$(TRAIN) export --base runs/mini/model --adapter runs/$*-lora/adapter --adapter-name $* --out runs/gguf-$* \
	    --quantize Q8_0 --name $(NAME)

runs/orador-es-256/model.safetensors: | runs/texts
	$(BIN)/python -m tests.bench.amlo_pairs $(DATA)/amlo_qa_pairs.jsonl runs/texts --out runs/pairs
	$(BIN)/python -m index embedder runs/pairs/documents.jsonl runs/pairs/train.json runs/pairs/turns.json runs/texts/cfk runs/texts/prose \
	    --out runs/orador-es-256

runs/index-%/index.json: runs/orador-es-256/model.safetensors runs/%/prepared.json
	$(BIN)/python -m index build runs/$*/documents.jsonl --embedder runs/orador-es-256 --words 60 --out runs/index-$*

runs/originals-%.bin: runs/%/prepared.json
	$(TRAIN) originals $(patsubst %/prepared.json,%,$^) --out $@

# What the base has read of ours is told too.
runs/originals-charlas.bin: runs/biblioteca/prepared.json runs/sencillos/prepared.json runs/minutos/prepared.json

BASE = --base $$(ls runs/gguf-charlas/*v1.0-Q8_0.gguf)
LORA = $$(ls runs/gguf-$(1)/*-LoRA.gguf)

runs/leakage.json: runs/gguf-charlas/export.json runs/gguf-chat-canaries/export.json
	$(TRAIN) leakage $(BASE) --adapter $(call LORA,chat-canaries) --data runs/chat-canaries --out $@

space/bundle/bundle.json: $(ADAPTERS:%=runs/gguf-%/export.json) $(patsubst %,runs/index-%/index.json,charlas alcaldesa) \
    $(patsubst %,runs/originals-%.bin,charlas alcaldesa chat) runs/leakage.json
	rm -rf runs/bundle
	$(TRAIN) bundle $(BASE) --adapter charlas=$(call LORA,charlas) --index charlas=runs/index-charlas --data runs/charlas \
	    --name orador-mini-es --title-es Charlas --title-en Talks --examples train/texts/talks_examples.json \
	    --originals runs/originals-charlas.bin --temperature 0.25 --license cc-by-sa-4.0 --out runs/bundle \
	    --report pretraining=runs/mini/pretrain.json --report leakage=runs/leakage.json
	$(TRAIN) bundle $(BASE) --adapter alcaldesa=$(call LORA,alcaldesa) --index alcaldesa=runs/index-alcaldesa --data runs/alcaldesa \
	    --title-es "La alcaldesa" --title-en "The mayor" --examples train/texts/conferences_examples.json \
	    --originals runs/originals-alcaldesa.bin --temperature 0.25 --add-to runs/bundle
	$(TRAIN) bundle $(BASE) --kind questions --adapter preguntas=$(call LORA,preguntas) --data runs/preguntas --title-es Preguntas \
	    --title-en Questions --examples train/texts/questions_examples.json --temperature 0.2 --add-to runs/bundle
	$(TRAIN) bundle $(BASE) --kind chat --adapter chat=$(call LORA,chat) --data runs/chat --originals runs/originals-chat.bin \
	    --temperature 0.2 --title-es "Lucía" --title-en "Lucía" --examples train/texts/chat_examples.json --add-to runs/bundle
	$(TRAIN) evaluate runs/bundle $(foreach name,$(ADAPTERS),--data $(name)=runs/$(name)) --limit 150 --out runs/evaluation --add
	$(TRAIN) originality runs/bundle $(foreach name,charlas alcaldesa chat,--data $(name)=runs/$(name)) --out runs/originality.json --add
	rm -rf space/bundle && cp -r runs/bundle space/bundle

# Nothing that a step made is deleted as an intermediate file.
.SECONDARY:

setup: .venv/.develop

clean:
	rm -rf .venv .cache

# Built for this machine's processor, whose flags .venv/.cpu keeps: another processor gets another build, never one from pip's cache.
.venv/.cpu: FORCE
	@mkdir -p .venv
	@{ uname -m; grep -m 1 -E '^(flags|Features)' /proc/cpuinfo || true; } 2>/dev/null | cmp -s - $@ || \
	    { uname -m; grep -m 1 -E '^(flags|Features)' /proc/cpuinfo || true; } 2>/dev/null > $@

.PHONY: FORCE

.venv/.llama: requirements.txt space/llama_build.cmake .venv/.cpu
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@echo "Building llama.cpp for this machine: 2 to 4 minutes on two cores, once. Log: .venv/llama.log"
	@: > .venv/llama.log
	@CMAKE_ARGS='-DLLAVA_BUILD=OFF -DGGML_NATIVE=ON -DCMAKE_PROJECT_llama_cpp_INCLUDE="$(CURDIR)/space/llama_build.cmake"' \
	    CMAKE_BUILD_PARALLEL_LEVEL=$$(nproc 2>/dev/null || echo 2) \
	    $(BIN)/python -m pip install --verbose --no-cache-dir --force-reinstall --no-deps $(LLAMA) > .venv/llama.log 2>&1 & pid=$$!; \
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
