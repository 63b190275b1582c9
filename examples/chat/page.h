/* SPDX-License-Identifier: MIT */
/* The page of the chat, page.html, as the build embeds it. */
#ifndef EXAMPLES_CHAT_PAGE_H
#define EXAMPLES_CHAT_PAGE_H

#include <stddef.h>

extern const unsigned char chat_page[];
extern const size_t chat_page_size;

#endif
