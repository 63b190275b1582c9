/* SPDX-License-Identifier: MIT */
/* Layer 2: authorities, targets and ws: URIs (RFC 3986, 3.2; RFC 6455, 3).
 * tenon_uri_parse lives here too. */
#ifndef TENON_URI_H
#define TENON_URI_H

#include "base.h"
#include "tenon/handshake.h"

/* 1 if s may be the value of Host: host [":" [port]], where the host is not empty
 * and a port, if any, is 1 to 65535. */
TENON_INTERNAL int tenon_host_valid(tenon_str s);

/* 1 if s may be a target in origin-form: "/" and visible ASCII without "#". */
TENON_INTERNAL int tenon_target_valid(tenon_str s);

/*
 * Splits a target of either form (RFC 9112, 3.2): *path is what origin-form would be,
 * *authority what an absolute target names, untouched otherwise. 0, and nothing is touched,
 * for a target that GET cannot have. An absolute target with a query but no path is refused
 * too: its origin-form is no slice of it.
 */
TENON_INTERNAL int tenon_target_split(tenon_str target, tenon_str *path, tenon_str *authority);

/* Where a request goes: what tenon_request names by uri, or by authority and target. */
typedef struct tenon_place {
    tenon_str authority;
    tenon_str path;  /* with the query when there is no uri; empty means / */
    tenon_str query; /* data NULL for none */
    int secure;      /* as given when there is no uri */
} tenon_place;

/* TENON_OK or TENON_ERR_URI. */
TENON_INTERNAL int tenon_place_parse(const tenon_request *request, int secure, tenon_place *place);

#endif
