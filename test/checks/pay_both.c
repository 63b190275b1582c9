/* SPDX-License-Identifier: MIT */
/* A program that is server and client. */
#define main main_of_server
#include "pay_server.c"
#undef main
#define main main_of_client
#define config config_of_client
#define storage storage_of_client
#define rx rx_of_client
#define tx tx_of_client
#include "pay_client.c"
#undef main

int main(void)
{
    return main_of_server() != 0 || main_of_client() != 0;
}
