# repfold: `make demo` and `make test` do everything a fresh Debian 12 needs.

BUILD ?= build
CC ?= cc
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
SOVERSION := 0

# Debian's packages: to build, and to test.
APT_PACKAGES := gcc libc6-dev make pkg-config protobuf-c-compiler \
    libprotobuf-c-dev zlib1g-dev libjansson-dev check \
    libonnx-testdata
PC_MODULES := libprotobuf-c zlib jansson

OPTIMIZE ?= -O2
# Without traps and errno, which nobody reads, loops can be widened; no result
# changes.
EXEC_OPTIMIZE ?= -O3 -fno-trapping-math -fno-math-errno
SANITIZE ?=
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wdouble-promotion
# No contraction: the same bytes must come out on every machine. The one file
# with contraction is what a run may choose instead, see simd.h.
CONTRACT := off
CFLAGS ?= -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(OPTIMIZE) $(CFLAGS) $(WARNINGS) \
    $(WERROR) -fPIC -fvisibility=hidden -ffp-contract=$(CONTRACT) -pthread $(SANITIZE) \
    -Isrc -I$(BUILD) $(PC_CFLAGS)
PC_CFLAGS = $(shell pkg-config --cflags $(PC_MODULES) 2>/dev/null)
LIBS = $(SANITIZE) $(shell pkg-config --libs $(PC_MODULES) 2>/dev/null) \
    -pthread -lm

BASE := err mem map half pool inflate zip sha256
GRAPH := tensor poly shape op graph uses attr infer infer_elementwise infer_shape \
    infer_index infer_window infer_linear infer_einsum check dump
ONNX := wire scan unpack input read read_node read_tensor order rope pack \
    rewrite write save
FOLD := affine kernel site site_linear site_affine site_shape constants islands \
    form plan emit rule_inline rule_sum compose border rule_border ways \
    rule_forward rule_norm rule_stack rule_compose explain pass
EXEC := simd array buffers walk move window kernels kern_map kern_zip kern_move \
    kern_gather kern_select kern_make kern_reduce kern_norm kern_pool \
    gemm gemm_pack gemm_plain gemm_fused conv kern_conv kern_depthwise \
    kern_transposed kern_matmul kern_attention kern_einsum kern_resize plan prepare step run control scan npy
JUDGE := compare sample input same track shared bound segment interface \
    known coefs operator compose border place sum sum_affine sum_operator \
    sum_move rows assign merge region certify \
    traits trial noise numbers judge
CHECKPOINT := checkpoint safetensors torch pickle names
ZOO := zoo net block attention fastvit weights
API := repfold certify summary blocks runner bench nodes digest diff diff_weights
CONVERTER := main opt trouble format progress files common report_text \
    json report_json report_json_diff report_junit report_sarif \
    report_github reports certify proof cmd_convert cmd_verify cmd_lint \
    cmd_inspect cmd_run cmd_bench cmd_sample cmd_diff
# Each is tests/test_NAME.c with a suite_NAME; the tests are one program.
SUITES := err mem map half zip tensor shape op graph check infer dump sha256 \
    affine kernel rule_inline rule_sum rule_branch rule_forward fuzz rule_border \
    rule_compose refusal fold_options \
    fixtures families converge attention zoo weights \
    compare input segment judge interface certificate diff \
    scan read read_node read_tensor read_damage write pack save \
    pool array npy elementary kern_elementwise kern_window kern_linear \
    kern_move exec nested conformance \
    repfold cli_usage cli_trouble cli_convert cli_verify cli_report cli_proof cli_machine
SUITES += checkpoint safetensors

# Random networks and all that must hold of them; `make soak` goes on and on.
FUZZ := gen affine conv regions token trap other generate model bound cost \
    shrink fuzz
SECONDS ?= 60
# Which of ONNX's backend tests are in scope.
CONFORMANCE := cases scope
# What several suites share.
SUPPORT := $(FUZZ:%=fuzz/%) \
    cli proto models archive infer_case fixture folding blocks composing net judging schema \
    exec_case $(CONFORMANCE:%=conformance/%) oracle/oracle \
    oracle/window oracle/linear oracle/elementwise oracle/norm oracle/move
SUPPORT += pickling

LIB_SOURCES := $(BASE:%=src/base/%.c) $(GRAPH:%=src/graph/%.c) \
    $(ONNX:%=src/onnx/%.c) $(FOLD:%=src/fold/%.c) $(EXEC:%=src/exec/%.c) \
    $(JUDGE:%=src/judge/%.c) $(CHECKPOINT:%=src/checkpoint/%.c) \
    $(ZOO:%=src/zoo/%.c) $(API:%=src/%.c)
CONVERTER_SOURCES := $(CONVERTER:%=converter/%.c)
TEST_SOURCES := tests/main.c $(SUPPORT:%=tests/%.c) $(SUITES:%=tests/test_%.c)
SAMPLES := convert_memory verify_files

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/onnx.pb-c.o
CONVERTER_OBJECTS := $(CONVERTER_SOURCES:%.c=$(BUILD)/%.o)
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(BUILD)/%.o)

.PHONY: all lib samples demo test check asan layers headertest format soak \
    bench bench-families conformance install uninstall clean help deps fixtures-full full \
    interop

# `make V=1` shows commands, otherwise only what they make.
say = $(if $(V),,@printf '  %-3s %s\n' $(1) $@;)

all: lib $(BUILD)/repfold samples

help:
	@echo 'make demo        set up, build, convert a generated fastvit_t8'
	@echo 'make test        set up, build, run every test'
	@echo 'make all         program, libraries and samples into $(BUILD)/'
	@echo 'make asan        the tests under ASan and UBSan'
	@echo 'make layers      check that includes point downwards only'
	@echo 'make headertest  compile repfold.h alone, strictly'
	@echo 'make format      clang-format the sources'
	@echo 'make soak        fuzz folding for SECONDS, or COUNT seeds from START'
	@echo 'make bench       time conversion and execution of a generated model'
	@echo 'make bench-families  beside other converters, on many networks'
	@echo 'make interop     hold results against onnxruntime (PYTHON=$(PYTHON))'
	@echo 'make conformance  ONNX backend tests, Debian'"'"'s and the wheel'"'"'s'
	@echo 'make full        convert and verify what fixtures-full wrote'
	@echo 'make fixtures-full  full-size real exports into $(BUILD)/exports/'
	@echo 'make install     PREFIX=$(PREFIX) DESTDIR=$(DESTDIR); also uninstall'
	@echo 'make clean       remove $(BUILD)/'

lib: $(BUILD)/librepfold.a $(BUILD)/librepfold.so

# Installs what is missing on Debian; elsewhere says what is needed.
deps:
	@./tests/setup.sh $(APT_PACKAGES)

$(BUILD)/onnx.pb-c.c: schema/onnx.proto
	@mkdir -p $(BUILD)
	$(call say,GEN) protoc-c --c_out=$(BUILD) --proto_path=schema $<
$(BUILD)/onnx.pb-c.h: $(BUILD)/onnx.pb-c.c ;

$(BUILD)/onnx.pb-c.o: $(BUILD)/onnx.pb-c.c
	$(call say,CC) $(CC) -std=c11 -O2 -fPIC -fvisibility=hidden $(SANITIZE) \
	    -I$(BUILD) $(PC_CFLAGS) -c -o $@ $<

$(BUILD)/src/exec/%.o $(BUILD)/src/fold/kernel.o \
    $(BUILD)/src/judge/rows.o $(BUILD)/src/judge/operator.o \
    $(BUILD)/src/judge/bound.o $(BUILD)/src/judge/compare.o \
    $(BUILD)/src/judge/segment.o: OPTIMIZE := $(EXEC_OPTIMIZE)
$(BUILD)/src/exec/gemm_fused.o: CONTRACT := fast
$(BUILD)/%.o: %.c | $(BUILD)/onnx.pb-c.h
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/librepfold.a: $(LIB_OBJECTS)
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $^

$(BUILD)/librepfold.so: $(LIB_OBJECTS)
	$(call say,LD) $(CC) -shared -Wl,-soname,librepfold.so.$(SOVERSION) \
	    -Wl,-z,relro,-z,now -o $@.$(VERSION) $^ $(LIBS)
	@ln -sf librepfold.so.$(VERSION) $@.$(SOVERSION)
	@ln -sf librepfold.so.$(SOVERSION) $@

$(BUILD)/repfold: $(CONVERTER_OBJECTS) $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

$(BUILD)/suites.def: Makefile
	@mkdir -p $(BUILD)
	@printf 'SUITE(%s)\n' $(SUITES) >$@
$(TEST_OBJECTS): $(BUILD)/suites.def

$(BUILD)/run-tests: $(TEST_OBJECTS) $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(shell pkg-config --libs check) $(LIBS)

# The program with a wrong fold in it, which the tests expect to be undone.
$(BUILD)/planted/emit.o: src/fold/emit.c | $(BUILD)/onnx.pb-c.h
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -DREPFOLD_PLANT_WRONG_FOLD=3 -MMD -MP \
	    -c -o $@ $<
$(BUILD)/repfold-planted: $(CONVERTER_OBJECTS) $(BUILD)/planted/emit.o \
    $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

samples: $(SAMPLES:%=$(BUILD)/samples/%)

# Against the shared library, as a user's program would be.
$(BUILD)/samples/%: samples/%.c src/repfold.h $(BUILD)/librepfold.so
	@mkdir -p $(@D)
	$(call say,CC) $(CC) -std=c99 $(OPTIMIZE) $(CFLAGS) $(WARNINGS) \
	    $(WERROR) $(SANITIZE) -Isrc -o $@ $< \
	    -L$(BUILD) -Wl,-rpath,$(abspath $(BUILD)) -lrepfold

# As many jobs as processors, unless the user says how many.
JOBS = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))

test: deps
	@$(MAKE) --no-print-directory $(JOBS) all $(BUILD)/run-tests
	@$(MAKE) --no-print-directory check

# Everything but the set-up; Check's own closing lines come last.
check: layers headertest all $(BUILD)/repfold-planted $(BUILD)/run-tests
	$(BUILD)/run-tests

asan: deps
	@CK_FORK=no $(MAKE) --no-print-directory $(JOBS) check \
	    BUILD=$(BUILD)/asan OPTIMIZE=-O1 EXEC_OPTIMIZE=-O1 \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'

layers:
	./tests/layers.sh

headertest: $(BUILD)/librepfold.so
	./tests/header.sh $(CC) $(BUILD)/librepfold.so

demo: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@./tests/demo.sh $(BUILD)

$(BUILD)/bench_chain: $(BUILD)/tests/bench_chain.o $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

$(BUILD)/soak: $(FUZZ:%=$(BUILD)/tests/fuzz/%.o) $(BUILD)/tests/fuzz/soak.o \
    $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

# SECONDS or COUNT seeds, from START.
soak: $(BUILD)/soak
	$< $(if $(COUNT),-n $(COUNT),-t $(SECONDS)) $(START)

bench: all $(BUILD)/bench_chain
	@PYTHON=$(PYTHON) ./tests/bench.sh $(BUILD)

$(BUILD)/conformance: $(CONFORMANCE:%=$(BUILD)/tests/conformance/%.o) \
    $(BUILD)/tests/conformance/main.o $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

# ONNX's backend tests; pip fetches the newer ones where it can.
conformance: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/repfold $(BUILD)/conformance
	@./tests/conformance/run.sh $(BUILD)

# These need Python: torch and timm for exports, onnxruntime for interop.
PYTHON ?= python3
fixtures-full:
	$(PYTHON) tests/fixtures/make.py --full $(BUILD)/exports

full: $(BUILD)/repfold
	@./tests/full.sh $(BUILD)

interop: $(BUILD)/repfold
	$(PYTHON) tests/interop/check_interop.py $(BUILD)/repfold tests/fixtures

# Optional: against timm, onnxsim and onnxslim. A quarter of an hour, 3 GB.
FAMILIES ?= $(BUILD)/families
bench-families: all
	@$(PYTHON) -c 'import torch, onnxruntime, onnxsim, onnxslim' || { \
	    echo 'bench-families: $(PYTHON) lacks one of torch, timm, onnx,' \
	        'onnxscript, onnxruntime, onnxsim, onnxslim' >&2; exit 1; }
	@$(PYTHON) tests/families/export.py $(FAMILIES) >&2
	@$(PYTHON) tests/families/bench_families.py $(BUILD)/repfold $(FAMILIES)

format:
	clang-format -i $(filter-out src/graph/op.def %.inc.c, \
	    $(wildcard src/*.[ch] src/*/*.[ch] converter/*.[ch] samples/*.c \
	    tests/*.[ch] tests/fuzz/*.[ch]))

ROOT = $(DESTDIR)$(PREFIX)
install: lib $(BUILD)/repfold
	install -d $(ROOT)/bin $(ROOT)/lib/pkgconfig $(ROOT)/include \
	    $(ROOT)/share/man/man1 $(ROOT)/share/zsh/site-functions \
	    $(ROOT)/share/bash-completion/completions \
	    $(ROOT)/share/fish/vendor_completions.d
	install $(BUILD)/repfold $(ROOT)/bin
	install -m 644 $(BUILD)/librepfold.a $(ROOT)/lib
	install -m 644 $(BUILD)/librepfold.so.$(VERSION) $(ROOT)/lib
	ln -sf librepfold.so.$(VERSION) $(ROOT)/lib/librepfold.so.$(SOVERSION)
	ln -sf librepfold.so.$(SOVERSION) $(ROOT)/lib/librepfold.so
	printf '%s\n' 'prefix=$(PREFIX)' 'Name: repfold' \
	    'Description: re-parameterizes ONNX models, with proof' \
	    'Version: $(VERSION)' 'Cflags: -I$${prefix}/include' \
	    'Libs: -L$${prefix}/lib -lrepfold' \
	    'Requires.private: $(PC_MODULES)' 'Libs.private: -lm -pthread' \
	    >$(ROOT)/lib/pkgconfig/repfold.pc
	install -m 644 src/repfold.h $(ROOT)/include
	install -m 644 converter/repfold.1 $(ROOT)/share/man/man1
	install -m 644 converter/completions/repfold.bash \
	    $(ROOT)/share/bash-completion/completions/repfold
	install -m 644 converter/completions/_repfold \
	    $(ROOT)/share/zsh/site-functions
	install -m 644 converter/completions/repfold.fish \
	    $(ROOT)/share/fish/vendor_completions.d

uninstall:
	rm -f $(ROOT)/bin/repfold $(ROOT)/lib/librepfold.a \
	    $(ROOT)/lib/librepfold.so* $(ROOT)/lib/pkgconfig/repfold.pc \
	    $(ROOT)/include/repfold.h $(ROOT)/share/man/man1/repfold.1 \
	    $(ROOT)/share/bash-completion/completions/repfold \
	    $(ROOT)/share/zsh/site-functions/_repfold \
	    $(ROOT)/share/fish/vendor_completions.d/repfold.fish

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d) $(CONVERTER_OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d) \
    $(BUILD)/tests/fuzz/soak.d $(BUILD)/tests/conformance/main.d
