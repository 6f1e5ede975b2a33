# repfold: `make demo` and `make test` do everything a fresh Debian 12 needs.

BUILD ?= build
CC ?= cc
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
DESTDIR ?=
VERSION := 0.1.0
SOVERSION := 0

# Debian's packages: to build, and to test.
APT_PACKAGES := gcc libc6-dev make pkg-config protobuf-c-compiler \
    libprotobuf-c-dev zlib1g-dev libjansson-dev libpng-dev \
    libjpeg62-turbo-dev check libonnx-testdata
# What the library needs, and the program beside; it alone reads images.
LIBRARY_MODULES := libprotobuf-c zlib
PC_MODULES := $(LIBRARY_MODULES) jansson
IMAGE_MODULES := libpng libjpeg

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
# Model files come from strangers.
HARDEN ?= -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection
HARDEN_LINK ?= -Wl,-z,relro,-z,now,-z,noexecstack
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(OPTIMIZE) $(CFLAGS) $(HARDEN) $(WARNINGS) \
    $(WERROR) -fPIC -fvisibility=hidden -ffp-contract=$(CONTRACT) -pthread $(SANITIZE) \
    -Isrc -I$(BUILD) $(PC_CFLAGS)
PC_CFLAGS = $(shell pkg-config --cflags $(PC_MODULES) $(IMAGE_MODULES) \
    2>/dev/null)
LIBS = $(SANITIZE) $(shell pkg-config --libs $(PC_MODULES) 2>/dev/null) \
    -pthread -lm
IMAGE_LIBS = $(shell pkg-config --libs $(IMAGE_MODULES) 2>/dev/null)

# Every source of a folder belongs to what the folder is for; a template
# (*.inc.c) is compiled by those that include it.
LIB_SOURCES := $(filter-out %.inc.c, $(sort $(wildcard src/*/*.c src/*.c)))
CONVERTER_SOURCES := $(sort $(wildcard converter/*.c))
# tests/test_NAME.c has a suite_NAME; the suites and what they share are one
# program, all but these, which are programs of their own.
TEST_PROGRAMS := tests/bench_chain.c tests/bench_certify.c tests/fuzz/soak.c \
    tests/fuzz/libfuzzer.c tests/save_checkpoint.c \
    tests/conformance/main.c tests/hostile/shim.c tests/roundtrip/main.c \
    tests/fuzz/proof.c
TEST_SOURCES := $(filter-out $(TEST_PROGRAMS), \
    $(sort $(wildcard tests/*.c tests/*/*.c)))
SUITES := $(patsubst tests/test_%.c,%, $(filter tests/test_%, $(TEST_SOURCES)))
# Random networks and all that must hold of them; `make soak` goes on and on.
FUZZ_SOURCES := $(filter-out $(TEST_PROGRAMS) tests/fuzz/readers.c \
    tests/fuzz/files.c, \
    $(wildcard tests/fuzz/*.c))
SECONDS ?= 60
SAMPLES := $(patsubst samples/%.c,%, $(sort $(wildcard samples/*.c)))

# What shells complete, as the program tells it.
COMPLETIONS := $(addprefix $(BUILD)/completions/, bash zsh fish)

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/onnx.pb-c.o
CONVERTER_OBJECTS := $(CONVERTER_SOURCES:%.c=$(BUILD)/%.o)
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(BUILD)/%.o)

.PHONY: FORCE \
    all \
    asan \
    bench \
    bench-deploy \
    bench-exec \
    bench-families \
    bench-import \
    bench-repmixer \
    check \
    clean \
    conformance \
    coverage \
    deb \
    deb-test \
    demo \
    deps \
    dist \
    exporters \
    faults \
    fixtures-full \
    format \
    full \
    fuzz-readers \
    hardening \
    headertest \
    help \
    import-full \
    install \
    installtest \
    interop \
    layers \
    lib \
    real \
    roundtrip \
    run \
    samples \
    soak \
    test \
    uninstall \
    valgrind

# `make V=1` shows commands, otherwise only what they make.
say = $(if $(V),,@printf '  %-3s %s\n' $(1) $@;)

all: lib $(BUILD)/repfold $(COMPLETIONS) samples

help:
	@printf '%s\n' \
	    'To use it' \
	    '  demo            set up, build, convert a generated fastvit_t8, verify it' \
	    '  all             program, libraries and samples into $(BUILD)/' \
	    '  install         into PREFIX=$(PREFIX), below DESTDIR=$(DESTDIR); also uninstall' \
	    '  deb             Debian packages into $(BUILD)/deb/' \
	    '  dist            the last commit, as $(BUILD)/repfold-$(VERSION).tar.gz' \
	    '  clean           remove $(BUILD)/' \
	    'To test it' \
	    '  test            set up, build, run every test' \
	    '  check           the same without the set-up' \
	    '  asan            the tests under ASan and UBSan' \
	    '  valgrind        the suites of bytes and memory under Valgrind' \
	    '  coverage        lines that the tests reach, with gcovr' \
	    '  faults          every call of the system fails once; kills' \
	    '  soak            random networks for SECONDS, or COUNT seeds from START' \
	    '  fuzz-readers    all that reads, under libFuzzer, SECONDS each (clang)' \
	    '  conformance     ONNX backend tests, those of Debian and of the wheel' \
	    '  roundtrip       their models, read and written without a change' \
	    '  layers          includes point downwards only' \
	    '  headertest      repfold.h alone, strictly' \
	    '  hardening       how program and library are linked' \
	    '  installtest     what is installed is complete, and then gone' \
	    '  deb-test        the packages in a Debian of their own (root)' \
	    '  format          clang-format the sources' \
	    'To test it with PYTHON=$(PYTHON), which must have torch or what it names' \
	    '  interop         results in onnxruntime, OpenVINO and ncnn' \
	    '  fixtures-full   full-size real exports into $(BUILD)/exports/' \
	    '  full            convert and verify those (without Python)' \
	    '  import-full     every variant at its real size' \
	    '  real            models that packages ship' \
	    '  exporters       what Keras, Paddle, ultralytics, transformers export' \
	    'To measure it, all but the first with PYTHON' \
	    '  bench           conversion and execution of generated models' \
	    '  bench-import    from a checkpoint to the deploy form' \
	    '  bench-exec      the executor beside onnxruntime' \
	    '  bench-families  beside other converters, on many networks' \
	    '  bench-deploy    latency of what is deployed, in onnxruntime' \
	    '  bench-repmixer  RepMixer beside pooling, by image size'

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

# The page's style and script, as C strings.
$(BUILD)/%.inc: converter/page/%
	@mkdir -p $(@D)
	$(call say,GEN) sed 's/[\\"]/\\&/g; s/.*/"&\\n"/' $< >$@
$(BUILD)/converter/report_html.o: $(BUILD)/page.css.inc $(BUILD)/page.js.inc

$(BUILD)/src/exec/%.o $(BUILD)/src/fold/kernel.o $(BUILD)/src/graph/tensor.o \
    $(BUILD)/src/judge/rows.o $(BUILD)/src/judge/operator.o \
    $(BUILD)/src/judge/bound.o $(BUILD)/src/judge/compare.o \
    $(BUILD)/src/judge/segment.o: OPTIMIZE := $(EXEC_OPTIMIZE)
$(BUILD)/src/exec/level_fused.o: CONTRACT := fast
$(BUILD)/%.o: %.c | $(BUILD)/onnx.pb-c.h
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/librepfold.a: $(LIB_OBJECTS)
	@rm -f $@
	$(call say,AR) $(AR) rcs $@ $^

$(BUILD)/librepfold.so: $(LIB_OBJECTS)
	$(call say,LD) $(CC) -shared -Wl,-soname,librepfold.so.$(SOVERSION) \
	    $(HARDEN_LINK) -o $@.$(VERSION) $^ $(LIBS)
	@ln -sf librepfold.so.$(VERSION) $@.$(SOVERSION)
	@ln -sf librepfold.so.$(SOVERSION) $@

$(BUILD)/repfold: $(CONVERTER_OBJECTS) $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -pie $(HARDEN_LINK) -o $@ $^ $(IMAGE_LIBS) $(LIBS)

$(COMPLETIONS): $(BUILD)/completions/%: $(BUILD)/repfold
	@mkdir -p $(@D)
	$(call say,GEN) $< --completions $* >$@

# Written when the list has changed, and only then.
$(BUILD)/suites.def: FORCE
	@mkdir -p $(BUILD)
	@printf 'SUITE(%s)\n' $(SUITES) | cmp -s - $@ || \
	    printf 'SUITE(%s)\n' $(SUITES) >$@
$(TEST_OBJECTS): $(BUILD)/suites.def

$(BUILD)/run-tests: $(TEST_OBJECTS) $(BUILD)/converter/sandbox.o \
    $(BUILD)/converter/image_decode.o $(BUILD)/converter/image_resize.o \
    $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(shell pkg-config --libs check) \
	    $(IMAGE_LIBS) $(LIBS)

# Makes calls of the system fail, see there.
$(BUILD)/shim.so: tests/hostile/shim.c
	$(call say,LD) $(CC) -std=c11 -D_GNU_SOURCE -O1 -g $(WARNINGS) $(WERROR) \
	    -fPIC -shared -o $@ $< -ldl

# The program with wrong folds in it, which the tests expect to be undone.
$(BUILD)/planted/emit.o: src/fold/emit.c | $(BUILD)/onnx.pb-c.h
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -DREPFOLD_PLANT_WRONG_FOLD=3 -MMD -MP \
	    -c -o $@ $<
$(BUILD)/repfold-planted: $(CONVERTER_OBJECTS) $(BUILD)/planted/emit.o \
    $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(IMAGE_LIBS) $(LIBS)

# The same, and it takes every certificate for true: what is left is to run.
$(BUILD)/planted/certify.o: converter/certify.c
	@mkdir -p $(@D)
	$(call say,CC) $(CC) $(ALL_CFLAGS) -DREPFOLD_TRUSTS_CERTIFICATES -MMD -MP \
	    -c -o $@ $<
$(BUILD)/repfold-trusting: \
    $(filter-out %/certify.o, $(CONVERTER_OBJECTS)) \
    $(BUILD)/planted/certify.o $(BUILD)/planted/emit.o $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(IMAGE_LIBS) $(LIBS)

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
check: layers headertest hardening installtest
	@$(MAKE) --no-print-directory run

run: all $(BUILD)/shim.so $(BUILD)/repfold-planted \
    $(BUILD)/repfold-trusting $(BUILD)/run-tests
	$(BUILD)/run-tests

asan: deps
	@CK_FORK=no $(MAKE) --no-print-directory $(JOBS) check \
	    BUILD=$(BUILD)/asan OPTIMIZE=-O1 EXEC_OPTIMIZE=-O1 HARDEN= \
	    SANITIZE='-fsanitize=address,undefined -fno-sanitize-recover=all'

# Which lines of src/ the tests reach; the sandbox would keep the counts out.
coverage: deps
	@./tests/setup.sh gcovr
	@CK_DEFAULT_TIMEOUT=900 $(MAKE) --no-print-directory $(JOBS) run \
	    BUILD=$(BUILD)/coverage \
	    OPTIMIZE=-O1 EXEC_OPTIMIZE=-O1 HARDEN= SANITIZE=--coverage \
	    CFLAGS='-g -DREPFOLD_NO_SANDBOX -fprofile-update=atomic'
	gcovr -r . --object-directory $(BUILD)/coverage -f src/ \
	    --exclude-unreachable-branches --print-summary \
	    --html-details $(BUILD)/coverage/index.html \
	    -o $(BUILD)/coverage/lines.txt --txt --fail-under-line 92

# The suites of bytes, memory and reading under Valgrind.
VALGRIND_SUITES ?= mem map half zip scan read read_node read_tensor write pack \
    npy tensor graph checkpoint
valgrind: deps
	@./tests/setup.sh valgrind
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/run-tests
	@for suite in $(VALGRIND_SUITES); do \
	    CK_FORK=no valgrind -q --error-exitcode=9 --leak-check=full \
	        --errors-for-leak-kinds=definite $(BUILD)/run-tests $$suite || \
	        exit 1; \
	done

# Every place where a call can fail, and a thousand kills. A quarter of an hour.
faults: all $(BUILD)/shim.so $(BUILD)/run-tests
	REPFOLD_FAULTS=all $(BUILD)/run-tests fault

layers:
	./tests/layers.sh

hardening: $(BUILD)/repfold $(BUILD)/librepfold.so
	./tests/hardening.sh "$(SANITIZE)" $^

headertest: $(BUILD)/librepfold.so
	./tests/header.sh "$(CC)" $(BUILD)/librepfold.so

demo: deps
	@$(MAKE) --no-print-directory $(JOBS) all
	@./tests/demo.sh $(BUILD)

$(BUILD)/bench_chain: $(BUILD)/tests/bench_chain.o $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

$(BUILD)/save_checkpoint: $(BUILD)/tests/save_checkpoint.o \
    $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

# From a checkpoint to the deploy form; with PYTHON's way where it has torch.
bench-import: all $(BUILD)/save_checkpoint
	@PYTHON=$(PYTHON) ./tests/bench_import.sh $(BUILD)

# Optional: every variant at its real size against torch. Ten minutes, 2 GB.
import-full: $(BUILD)/repfold
	$(PYTHON) tests/fixtures/checkpoints/check_full.py $(BUILD)/repfold \
	    $(BUILD)/import

# Whatever takes bytes of strangers, under libFuzzer: SECONDS of processor time
# for each, added to those of earlier calls; needs clang.
READERS := fuzz_pickle fuzz_checkpoint fuzz_import fuzz_model fuzz_fold fuzz_run \
    fuzz_npy fuzz_image fuzz_npz fuzz_gzip fuzz_external fuzz_diff
fuzz-readers:
	@$(MAKE) --no-print-directory BUILD=$(BUILD)/fuzz CC=clang WERROR= HARDEN= \
	    OPTIMIZE=-O1 EXEC_OPTIMIZE=-O1 SANITIZE='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all' \
	    $(READERS:%=$(BUILD)/fuzz/%) $(BUILD)/fuzz/fuzz_proof
	@./tests/fuzz/hours.sh $(BUILD)/fuzz $(SECONDS) $(READERS) fuzz_proof

$(READERS:%=$(BUILD)/%): $(BUILD)/%: tests/fuzz/libfuzzer.c \
    $(BUILD)/tests/fuzz/readers.o $(BUILD)/tests/fuzz/models.o \
    $(BUILD)/tests/fuzz/files.o $(BUILD)/tests/archive.o \
    $(BUILD)/converter/image_decode.o $(BUILD)/converter/image_resize.o \
    $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -DTARGET=$* -fsanitize=fuzzer -o $@ $^ $(IMAGE_LIBS) \
	    $(LIBS)

$(BUILD)/bench_certify: $(BUILD)/tests/bench_certify.o $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

$(BUILD)/fuzz_proof: $(BUILD)/tests/fuzz/proof.o \
    $(filter-out %/main.o, $(CONVERTER_OBJECTS)) $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -fsanitize=fuzzer -o $@ $^ $(IMAGE_LIBS) $(LIBS)

$(BUILD)/soak: $(FUZZ_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/tests/fuzz/soak.o \
    $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

# SECONDS or COUNT seeds, from START.
soak: $(BUILD)/soak
	$< $(if $(COUNT),-n $(COUNT),-t $(SECONDS)) $(START)

bench: all $(BUILD)/bench_chain $(BUILD)/bench_certify
	@PYTHON=$(PYTHON) ./tests/bench.sh $(BUILD)

$(BUILD)/conformance: $(patsubst %.c,$(BUILD)/%.o, \
    $(wildcard tests/conformance/*.c)) $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

# ONNX's backend tests; pip fetches the newer ones where it can.
conformance: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/repfold $(BUILD)/conformance
	@./tests/conformance/run.sh $(BUILD)

$(BUILD)/roundtrip: $(patsubst %.c,$(BUILD)/%.o, \
    $(wildcard tests/roundtrip/*.c) tests/fuzz/model.c) $(BUILD)/librepfold.a
	$(call say,LD) $(CC) -o $@ $^ $(LIBS)

# Every model of Debian's test data and the wheel's, read and written.
roundtrip: deps
	@$(MAKE) --no-print-directory $(JOBS) $(BUILD)/roundtrip
	@wheel=$$(./tests/conformance/wheel.sh $(BUILD)) || wheel=; \
	    $(BUILD)/roundtrip /usr/share/libonnx-testdata $$wheel

# These need Python: torch and timm for exports, onnxruntime for interop.
PYTHON ?= python3
fixtures-full:
	$(PYTHON) tests/fixtures/make.py --full $(BUILD)/exports

full: $(BUILD)/repfold
	@./tests/full.sh $(BUILD)

interop: $(BUILD)/repfold
	$(PYTHON) tests/interop/check_opsets.py src/graph/op.def
	$(PYTHON) tests/interop/check_interop.py $(BUILD)/repfold tests/fixtures
	$(PYTHON) tests/interop/check_consumers.py $(BUILD)/repfold tests/fixtures

# Optional: models that packages ship, which pip must reach. Two minutes.
real: $(BUILD)/repfold
	@$(PYTHON) -c 'import onnx, onnxruntime' || { \
	    echo 'real: $(PYTHON) lacks onnx or onnxruntime' >&2; exit 1; }
	@$(PYTHON) tests/real/real.py $(BUILD)/repfold $(BUILD)/real

# Optional: what frameworks export, each from its own Python. Minutes each.
exporters: $(BUILD)/repfold
	@$(PYTHON) -c 'import onnx, onnxruntime' || { \
	    echo 'exporters: $(PYTHON) lacks onnx or onnxruntime' >&2; exit 1; }
	@$(PYTHON) tests/real/exporters.py $(BUILD)/repfold $(BUILD)/exporters

# Optional: run by run against onnxruntime, on the same files. Ten minutes on a
# quiet machine; THREADS, MODELS, ROUNDS and RUNS say what is run.
bench-exec: all
	@$(PYTHON) tests/bench/bench_exec.py $(BUILD)/repfold $(BUILD)/bench-exec

# Optional: against timm, onnxsim and onnxslim. A quarter of an hour, 3 GB.
FAMILIES ?= $(BUILD)/families
bench-families: all
	@$(PYTHON) -c 'import torch, onnxruntime, onnxsim, onnxslim' || { \
	    echo 'bench-families: $(PYTHON) lacks one of torch, timm, onnx,' \
	        'onnxscript, onnxruntime, onnxsim, onnxslim' >&2; exit 1; }
	@$(PYTHON) tests/families/export.py $(FAMILIES) >&2
	@$(PYTHON) tests/families/bench_families.py $(BUILD)/repfold $(FAMILIES)

# Optional: the latency of what is deployed, in onnxruntime. Five minutes, and
# three for exports before the first; ROUNDS and MODELS change that.
bench-deploy: all
	@$(PYTHON) -c 'import torch, timm, onnxscript, onnxruntime, onnxsim' || { \
	    echo 'bench-deploy: $(PYTHON) lacks one of torch, timm, onnx,' \
	        'onnxscript, onnxruntime, onnxsim' >&2; exit 1; }
	@$(PYTHON) tests/bench/bench_deploy.py $(BUILD)/repfold $(FAMILIES)

# Optional: RepMixer beside pooling, by image size. Five minutes, by ROUNDS and
# SIZES. Needs numpy and onnx.
bench-repmixer: all
	@$(PYTHON) tests/bench/bench_repmixer.py $(BUILD)/repfold \
	    $(BUILD)/bench-repmixer

format:
	clang-format -i $(filter-out src/graph/op.def %.inc.c, \
	    $(wildcard src/*.[ch] src/*/*.[ch] converter/*.[ch] samples/*.c \
	    tests/*.[ch] tests/fuzz/*.[ch]))

ROOT = $(DESTDIR)$(PREFIX)
LIBROOT = $(DESTDIR)$(LIBDIR)
install: lib $(COMPLETIONS)
	install -d $(ROOT)/bin $(LIBROOT)/pkgconfig $(ROOT)/include \
	    $(ROOT)/share/man/man1 $(ROOT)/share/zsh/site-functions \
	    $(ROOT)/share/bash-completion/completions \
	    $(ROOT)/share/fish/vendor_completions.d
	install $(BUILD)/repfold $(ROOT)/bin
	install -m 644 $(BUILD)/librepfold.a $(LIBROOT)
	install -m 644 $(BUILD)/librepfold.so.$(VERSION) $(LIBROOT)
	ln -sf librepfold.so.$(VERSION) $(LIBROOT)/librepfold.so.$(SOVERSION)
	ln -sf librepfold.so.$(SOVERSION) $(LIBROOT)/librepfold.so
	printf '%s\n' 'prefix=$(PREFIX)' 'libdir=$(LIBDIR)' 'Name: repfold' \
	    'Description: re-parameterizes ONNX models, with proof' \
	    'Version: $(VERSION)' 'Cflags: -I$${prefix}/include' \
	    'Libs: -L$${libdir} -lrepfold' \
	    'Requires.private: $(LIBRARY_MODULES)' \
	    'Libs.private: -lm -pthread' >$(LIBROOT)/pkgconfig/repfold.pc
	install -m 644 src/repfold.h $(ROOT)/include
	install -m 644 converter/repfold.1 $(ROOT)/share/man/man1
	install -m 644 $(BUILD)/completions/bash \
	    $(ROOT)/share/bash-completion/completions/repfold
	install -m 644 $(BUILD)/completions/zsh \
	    $(ROOT)/share/zsh/site-functions/_repfold
	install -m 644 $(BUILD)/completions/fish \
	    $(ROOT)/share/fish/vendor_completions.d/repfold.fish

uninstall:
	rm -f $(ROOT)/bin/repfold $(LIBROOT)/librepfold.a \
	    $(LIBROOT)/librepfold.so* $(LIBROOT)/pkgconfig/repfold.pc \
	    $(ROOT)/include/repfold.h $(ROOT)/share/man/man1/repfold.1 \
	    $(ROOT)/share/bash-completion/completions/repfold \
	    $(ROOT)/share/zsh/site-functions/_repfold \
	    $(ROOT)/share/fish/vendor_completions.d/repfold.fish

# What is installed is complete, and programs build on it; then it is gone.
installtest: lib $(COMPLETIONS)
	@MAKE="$(MAKE)" CC="$(CC)" SANITIZE="$(SANITIZE)" \
	    ./tests/package/install.sh $(BUILD) $(VERSION) $(SOVERSION)

# The last commit, in an archive that is the same wherever it is made.
dist:
	@mkdir -p $(BUILD)
	$(call say,TAR) git archive --format=tar.gz \
	    --prefix=repfold-$(VERSION)/ -o $(BUILD)/repfold-$(VERSION).tar.gz HEAD

deb: deps
	@./tests/setup.sh dpkg-dev
	@$(MAKE) --no-print-directory $(JOBS) lib $(BUILD)/repfold
	@MAKE="$(MAKE)" ./tests/package/deb.sh $(BUILD) $(VERSION) $(SOVERSION)

# Installs the packages in a Debian of their own; needs root and a mirror.
deb-test: deb
	@./tests/package/deb_test.sh $(BUILD)/deb

clean:
	rm -rf $(BUILD)

# Of every object that there is, in whichever program.
-include $(wildcard $(foreach folder,src converter tests planted samples, \
    $(BUILD)/$(folder)/*.d $(BUILD)/$(folder)/*/*.d))
