/* Any bytes as the answers of an ArduinoISP. It claims and attaches as it should; then the input
 * decides what is done, and the rest of the input is what comes back, whatever is asked, before the
 * other end closes. Nothing may be read beyond a buffer, and whatever is reported as read or
 * written must have had its full answer. */
#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "jigs/programmer.h"

#define COUNT 256

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct peer {
    int listener;
    const uint8_t *answers;
    size_t count;
};

static void check(int condition)
{
    if (!condition)
        abort();
}

static int send_all(int connection, const void *bytes, size_t count)
{
    return count == 0 || send(connection, bytes, count, MSG_NOSIGNAL) == (ssize_t)count;
}

static const struct {
    const char *command;
    size_t command_count;
    const char *answer;
    size_t answer_count;
} manners[] = {
    {"\x30\x20", 2, "\x14\x10", 2},
    {"\x31\x20", 2,
     "\x14"
     "AVR ISP\x10",
     9},
    {"\x41\x93\x20", 3, "\x14S\x10", 3},
    {"\x41\x81\x20", 3, "\x14\x01\x10", 3},
    {"\x41\x82\x20", 3, "\x14\x12\x10", 3},
    {"\x42", 22, "\x14\x10", 2},
    {"\x50\x20", 2, "\x14\x10", 2},
};

/* Answers as the sketch does until the target was entered. */
static int be_polite(int connection)
{
    uint8_t command[22];
    int entered = 0;

    while (!entered) {
        size_t row = 0, rows = sizeof manners / sizeof manners[0];

        if (recv(connection, command, 2, MSG_WAITALL) != 2)
            return -1;
        for (; row < rows; row++)
            if (command[0] == (uint8_t)manners[row].command[0] &&
                (manners[row].command_count != 3 || command[1] == (uint8_t)manners[row].command[1]))
                break;
        if (row == rows)
            return -1;
        size_t left = manners[row].command_count - 2;
        if (left > 0 && recv(connection, command + 2, left, MSG_WAITALL) != (ssize_t)left)
            return -1;
        if (!send_all(connection, manners[row].answer, manners[row].answer_count))
            return -1;
        entered = command[0] == 0x50;
    }
    return 0;
}

static void *answer(void *context)
{
    const struct peer *peer = context;
    uint8_t byte[4096];
    int connection = accept(peer->listener, NULL, NULL);

    if (connection < 0)
        return NULL;
    if (be_polite(connection) == 0 && recv(connection, byte, 1, 0) == 1 &&
        send_all(connection, peer->answers, peer->count)) {
        shutdown(connection, SHUT_WR);
        while (recv(connection, byte, sizeof byte, 0) > 0)
            continue;
    }
    close(connection);
    return NULL;
}

static int listen_on_loopback(struct place *place)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    check(listener >= 0);
    check(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    check(listen(listener, 1) == 0);
    check(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    *place =
        (struct place){.kind = PLACE_TCP, .path = "127.0.0.1", .port = ntohs(address.sin_port)};
    return listener;
}

static const struct part part = {
    .name = "fuzz",
    .flash = {.size = 0x8000, .page_size = 128, .page_write = true, .write_delay_us = 10},
    .eeprom = {.size = 1024, .page_size = 4, .page_write = true, .write_delay_us = 10},
    .poll_ready = true,
};

static void operate(struct programmer *programmer, uint8_t what, const struct operation *operation,
                    size_t answers)
{
    struct failure failure = {0};
    uint8_t *bytes = malloc(COUNT); /* on the heap, so that one byte too many is seen */
    int result = 0;

    check(bytes != NULL);
    memset(bytes, 0x11, COUNT);
    switch (what % 5) {
    case 0:
        result = programmer_read(programmer, PART_FLASH, what, bytes, COUNT, operation, &failure);
        check(result != 0 || answers >= COUNT + 4);
        break;
    case 1:
        result =
            programmer_write(programmer, PART_FLASH, 0, bytes, COUNT, NULL, operation, &failure);
        check(result != 0 || answers >= 6);
        break;
    case 2:
        result = programmer_read(programmer, PART_EEPROM, what, bytes, COUNT, operation, &failure);
        check(result != 0 || answers >= COUNT + 4);
        break;
    case 3:
        result = programmer_write(programmer, PART_EEPROM, 4, bytes, 4, NULL, operation, &failure);
        check(result != 0 || answers >= 18);
        break;
    default:
        result = programmer_identify(programmer, bytes, operation, &failure);
        check(result != 0 || answers >= 18);
    }
    check((result == 0) == (failure.code == FAILURE_NONE));
    free(bytes);
}

/* Up to here the other end has manners. Only a machine that is too busy to let it answer in time
 * may fail; that tells nothing about the input. */
static int is_entered(struct programmer *programmer, const struct programmer_settings *settings,
                      const struct operation *operation)
{
    struct failure failure = {0};

    if (programmer_claim(programmer, settings, operation, &failure) == 0 &&
        programmer_attach(programmer, &part, operation, &failure) == 0)
        return 1;
    check(failure.code == FAILURE_PROGRAMMER_SILENT || failure.code == FAILURE_DEADLINE ||
          failure.code == FAILURE_PROGRAMMER_OUT_OF_STEP);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct programmer_settings settings = {0};
    struct peer peer = {.answers = data + 1, .count = size - 1};
    struct operation operation = {.deadline_us = operation_now_us() + 3000000};
    struct programmer *programmer = programmer_create(programmer_driver_by_name("stk500v1"));
    pthread_t thread;

    check(programmer != NULL);
    if (size > 0) {
        peer.listener = listen_on_loopback(&settings.place);
        check(pthread_create(&thread, NULL, answer, &peer) == 0);
        if (is_entered(programmer, &settings, &operation))
            operate(programmer, data[0], &operation, peer.count);
        programmer_release(programmer, NULL);
    }
    programmer_destroy(programmer);
    if (size > 0) {
        check(pthread_join(thread, NULL) == 0);
        close(peer.listener);
    }
    return 0;
}
