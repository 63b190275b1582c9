/* SPDX-License-Identifier: MIT */
/* A codec of no size, for targets without zlib: the runner leaves out what needs one. */
#include "tenon/zlib.h"

const tenon_codec tenon_zlib = {0, 0, 0, {0, 0}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL};
