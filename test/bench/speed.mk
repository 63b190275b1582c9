# SPDX-License-Identifier: MIT
# The programs of the benchmark of speed.
#
# usage: make -f speed.mk OUT=DIRECTORY [MARCH=-march=...] TARGET...     (absolute paths)
#
# The library is compiled anew, without any option that a program would not have, beside
# -O3; so are the peers that are header files, while wslay is a library of the system. A
# peer that is not installed is left out.

ROOT := $(dir $(abspath $(lastword $(MAKEFILE_LIST))))
LIB := $(ROOT)../../lib/
FLAGS = -O3 $(MARCH)
CHECKED = -std=c99 -Wall -Wextra -Wshadow -Werror

has = $(shell echo '\#include <$(1)>' | $(2) -E - >$(OUT)/has.log 2>&1 && echo yes)
PEERS :=
ifeq ($(call has,wslay/wslay.h,$(CC)),yes)
PEERS += wslay
LDLIBS += -lwslay
endif
ifeq ($(call has,boost/beast/websocket.hpp,$(CXX) -x c++),yes)
PEERS += beast
endif
ifeq ($(call has,websocketpp/processors/hybi13.hpp,$(CXX) -x c++),yes)
PEERS += websocketpp
endif

define upper
$(shell echo $(1) | tr a-z A-Z)
endef

OBJECTS := $(addprefix $(OUT)/,speed.o speed_data.o speed_limit.o speed_tenon.o $(PEERS:%=speed_%.o))
LIBRARY := $(patsubst $(LIB)%.c,$(OUT)/lib_%.o,$(wildcard $(LIB)*.c))
HEADERS := $(wildcard $(LIB)*.h $(LIB)../include/tenon/*.h $(ROOT)speed*.h)

$(OUT)/speed: $(OBJECTS) $(LIBRARY)
	$(CXX) $^ -o $@ $(LDLIBS) -lpthread

$(OUT)/lib_%.o: $(LIB)%.c $(HEADERS)
	$(CC) -std=c99 $(FLAGS) -I$(LIB)../include -c $< -o $@

$(OUT)/%.o: $(ROOT)%.c $(HEADERS)
	$(CC) $(CHECKED) $(FLAGS) $(foreach p,$(PEERS),-DSPEED_$(call upper,$(p))) -I$(LIB)../include -I$(LIB) -c $< -o $@

$(OUT)/%.o: $(ROOT)%.cpp $(ROOT)speed.h
	$(CXX) -std=c++17 -w -DNDEBUG $(FLAGS) -c $< -o $@

$(OUT)/speed_raw: $(ROOT)speed_raw.c
	$(CC) $(CHECKED) $(FLAGS) $< -o $@

$(OUT)/speed_load: $(ROOT)speed_load.c
	$(CC) $(CHECKED) $(FLAGS) $< -o $@

$(OUT)/speed_calls.so: $(ROOT)speed_calls.c
	$(CC) $(CHECKED) $(FLAGS) -shared -fPIC $< -o $@ -ldl
