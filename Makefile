# repfold: `make demo` and `make test` do everything a fresh Debian 12 needs.

BUILD ?= build
CC ?= cc
PREFIX ?= /usr/local
DESTDIR ?=
VERSION := 0.1.0
SOVERSION := 0

# Debian's packages: to build, and to test.
APT_PACKAGES := gcc libc6-dev make pkg-config protobuf-c-compiler \
    libprotobuf-c-dev zlib1g-dev libopenblas-dev libjansson-dev check
PC_MODULES := libprotobuf-c zlib openblas jansson

OPTIMIZE ?= -O2
EXEC_OPTIMIZE ?= -O3
SANITIZE ?=
WARNINGS := -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
    -Wmissing-prototypes -Wdouble-promotion
# No contraction: the same bytes must come out on every machine.
CFLAGS ?= -g
ALL_CFLAGS = -std=c11 -D_GNU_SOURCE $(OPTIMIZE) $(CFLAGS) $(WARNINGS) \
    $(WERROR) -fPIC -fvisibility=hidden -ffp-contract=off -pthread $(SANITIZE) \
    -Isrc -I$(BUILD) $(PC_CFLAGS)
PC_CFLAGS = $(shell pkg-config --cflags $(PC_MODULES) 2>/dev/null)
LIBS = $(SANITIZE) $(shell pkg-config --libs $(PC_MODULES) 2>/dev/null) \
    -pthread -lm

BASE := err mem map half pool
GRAPH := tensor shape op graph uses attr check dump
ONNX := scan read write save
FOLD := affine kernel form site pass rule_affine rule_sum rule_forward
EXEC := array plan run kernels npy
JUDGE := input compare segment judge
ZOO := fastvit weights
API := repfold
CONVERTER := main
# Each is tests/test_NAME.c with a suite_NAME; the tests are one program.
SUITES := err mem map half tensor

LIB_SOURCES := $(BASE:%=src/base/%.c) $(GRAPH:%=src/graph/%.c) \
    $(ONNX:%=src/onnx/%.c) $(FOLD:%=src/fold/%.c) $(EXEC:%=src/exec/%.c) \
    $(JUDGE:%=src/judge/%.c) $(ZOO:%=src/zoo/%.c) $(API:%=src/%.c)
CONVERTER_SOURCES := $(CONVERTER:%=converter/%.c)
TEST_SOURCES := tests/main.c $(SUITES:%=tests/test_%.c)

LIB_OBJECTS := $(LIB_SOURCES:%.c=$(BUILD)/%.o) $(BUILD)/onnx.pb-c.o
CONVERTER_OBJECTS := $(CONVERTER_SOURCES:%.c=$(BUILD)/%.o)
TEST_OBJECTS := $(TEST_SOURCES:%.c=$(BUILD)/%.o)

.PHONY: all lib demo test asan layers headertest format bench install clean \
    help deps check-build

all: lib $(BUILD)/repfold

help:
	@echo 'make demo        set up, build, convert a generated fastvit_t8'
	@echo 'make test        set up, build, run every test'
	@echo 'make all         program and libraries into $(BUILD)/'
	@echo 'make asan        the tests under ASan and UBSan'
	@echo 'make layers      check that includes point downwards only'
	@echo 'make headertest  compile repfold.h alone, strictly'
	@echo 'make format      clang-format the sources'
	@echo 'make install     PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)'
	@echo 'make clean       remove $(BUILD)/'

lib: $(BUILD)/librepfold.a $(BUILD)/librepfold.so

# Installs what is missing on Debian; elsewhere says what is needed.
deps:
	@./tests/setup.sh $(APT_PACKAGES)

$(BUILD)/onnx.pb-c.c: schema/onnx.proto
	@mkdir -p $(BUILD)
	protoc-c --c_out=$(BUILD) --proto_path=schema schema/onnx.proto
$(BUILD)/onnx.pb-c.h: $(BUILD)/onnx.pb-c.c ;

$(BUILD)/onnx.pb-c.o: $(BUILD)/onnx.pb-c.c
	$(CC) -std=c11 -O2 -fPIC -fvisibility=hidden $(SANITIZE) -I$(BUILD) \
	    $(PC_CFLAGS) -c -o $@ $<

$(BUILD)/src/exec/%.o: OPTIMIZE := $(EXEC_OPTIMIZE)
$(BUILD)/%.o: %.c | $(BUILD)/onnx.pb-c.h
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

$(BUILD)/librepfold.a: $(LIB_OBJECTS)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/librepfold.so: $(LIB_OBJECTS)
	$(CC) -shared -Wl,-soname,librepfold.so.$(SOVERSION) -Wl,-z,relro,-z,now \
	    -o $@.$(VERSION) $^ $(LIBS)
	ln -sf librepfold.so.$(VERSION) $@.$(SOVERSION)
	ln -sf librepfold.so.$(SOVERSION) $@

$(BUILD)/repfold: $(CONVERTER_OBJECTS) $(BUILD)/librepfold.a
	$(CC) -o $@ $^ $(LIBS)

$(BUILD)/suites.def: Makefile
	@mkdir -p $(BUILD)
	printf 'SUITE(%s)\n' $(SUITES) >$@
$(TEST_OBJECTS): $(BUILD)/suites.def

$(BUILD)/run-tests: $(TEST_OBJECTS) $(BUILD)/librepfold.a
	$(CC) -o $@ $^ $(shell pkg-config --libs check) $(LIBS)

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d) $(CONVERTER_OBJECTS:.o=.d) $(TEST_OBJECTS:.o=.d)
