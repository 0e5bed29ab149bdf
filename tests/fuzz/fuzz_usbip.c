/* Any bytes from a USB/IP server, in pieces of any size: to a client with two transfers under way,
 * one to be taken back, the other not. Data must go only where they are expected, and what is said
 * to have come must have. Then the same bytes as an import reply and as a text. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/link_usb_backend.h"
#include "jigs/usbip_wire.h"
#include "reports/text.h"

#define LENGTH_MAX 64
#define GUARD 0xA5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(int condition)
{
    if (!condition)
        abort();
}

struct client {
    struct usbip_inbox inbox;
    uint8_t data[USBIP_QUEUE][LENGTH_MAX];
    uint16_t lengths[USBIP_QUEUE];
    bool to_host[USBIP_QUEUE];
};

/* Numbers 1 and 2, unlink 3: what the fuzzer finds soon. */
static void expect(struct client *client, uint8_t options)
{
    memset(client, 0, sizeof *client);
    memset(client->data, GUARD, sizeof client->data);
    for (unsigned i = 0; i < USBIP_QUEUE; i++) {
        client->lengths[i] = (uint16_t)((options >> (3 * i) & 7) * 9);
        client->to_host[i] = (options >> (6 + i) & 1) != 0;
        client->inbox.expected[i] = (struct usbip_expected){.number = i + 1,
                                                            .unlink_number = i == 1 ? 3 : 0,
                                                            .to_host = client->to_host[i],
                                                            .length = client->lengths[i],
                                                            .data = client->data[i]};
    }
}

static void check_client(const struct client *client)
{
    for (unsigned i = 0; i < USBIP_QUEUE; i++) {
        const struct usbip_expected *expected = &client->inbox.expected[i];
        size_t touched = client->to_host[i] ? client->lengths[i] : 0;

        check(expected->number == 0 || expected->number == i + 1);
        check(expected->received <= client->lengths[i]);
        check(expected->number != 0 || expected->answered);
        for (size_t at = touched; at < LENGTH_MAX; at++)
            check(client->data[i][at] == GUARD);
    }
}

/* In whole, or in pieces as the first byte says: the same must come of it. */
static int feed(struct client *client, const uint8_t *data, size_t size, size_t piece)
{
    struct failure failure = {0};
    int result = 0;

    for (size_t at = 0; at < size && result == 0; at += piece) {
        size_t count = size - at < piece ? size - at : piece;

        result = usbip_inbox_take(&client->inbox, data + at, count, &failure);
        check_client(client);
    }
    check((result == 0) == (failure.code == FAILURE_NONE));
    return result;
}

static void check_import(const uint8_t *data, size_t size)
{
    uint8_t status[USBIP_IMPORT_STATUS_BYTES] = {0}, device[USBIP_IMPORT_DEVICE_BYTES] = {0};
    struct failure failure = {0};
    uint32_t device_id = 0;

    memcpy(status, data, size < sizeof status ? size : sizeof status);
    memcpy(device, data, size < sizeof device ? size : sizeof device);
    check((usbip_wire_import_status(status, &failure) == 0) == (failure.code == FAILURE_NONE));
    if (usbip_wire_import_device(device, "1-1", &device_id, &failure) == 0)
        check(memcmp(device + 256, "1-1", 4) == 0);
}

static void check_text(const uint8_t *data, size_t size)
{
    uint8_t bytes[255] = {0};
    char text[64];
    size_t count = size < sizeof bytes ? size : sizeof bytes;

    memcpy(bytes, data, count);
    link_usb_text(bytes, (uint16_t)count, text, sizeof text);
    for (const char *at = text; *at != '\0'; at += text_character_bytes(at))
        check(text_character_bytes(at) > 0 && (unsigned char)*at >= 0x20 && *at != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client whole, pieces;

    if (size < 2)
        return 0;
    expect(&whole, data[0]);
    expect(&pieces, data[0]);
    check(feed(&whole, data + 2, size - 2, size) ==
          feed(&pieces, data + 2, size - 2, data[1] % 97 + 1));
    check(memcmp(whole.data, pieces.data, sizeof whole.data) == 0);
    for (unsigned i = 0; i < USBIP_QUEUE; i++) {
        check(whole.inbox.expected[i].number == pieces.inbox.expected[i].number);
        check(whole.inbox.expected[i].status == pieces.inbox.expected[i].status);
    }
    check_import(data, size);
    check_text(data, size);
    return 0;
}
