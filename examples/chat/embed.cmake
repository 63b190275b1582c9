# SPDX-License-Identifier: MIT
# Writes the file ${from} as an array of C to ${to}.
file(READ ${from} octets HEX)
string(REGEX REPLACE "(................................)" "\\1\n" octets "${octets}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," octets "${octets}")
file(WRITE ${to} "/* Made from page.html. */
#include \"chat/page.h\"

const unsigned char chat_page[] = {
${octets}};
const size_t chat_page_size = sizeof chat_page;
")
