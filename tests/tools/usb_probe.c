/* Tries the USB link by hand and in tests/qemu:
 *
 *   usb_probe list             what is plugged in
 *   usb_probe PLACE [STEP…]    opens the place, says who is there, and does the steps:
 *     in:REQUEST:VALUE:INDEX:LENGTH     a vendor request that reads, in decimal
 *     out:REQUEST:VALUE:INDEX:LENGTH    one that writes 0, 1, 2…
 *     A,B,C                             such ones as one run, handed over together
 *     bulk:BYTES:ROOM                   a command, in hexadecimal, and room for its reply
 *     clear                             what a bulk endpoint still holds, and its halt
 *     reset                             on its port
 *     silence:MS                        so long each of the next ones may take (5000)
 *     deadline:MS                       so long the next run may take in all (60000)
 *     wait                              until a line comes on standard input
 *     reopen                            closes it and opens it again
 *     beside:PLACE                      opens this one, too, says who is there, and closes it
 *
 * A line for each step: what came, or the name of the failure and its detail. Exit status 0 when
 * the place could be opened, whatever came of the steps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "jigs/link_usb.h"

#define RUN_MAX 64

struct probe {
    struct place place;
    struct link_usb *usb;
    int64_t silence_us;
    int64_t deadline_us;
    uint8_t data[RUN_MAX][LINK_USB_TRANSFER_BYTES_MAX];
};

static struct operation within(int64_t duration_us)
{
    return (struct operation){.deadline_us = operation_now_us() + duration_us};
}

static void print_failure(const struct failure *failure)
{
    printf("%s: %s\n", failure_lookup(failure->code)->name, failure->detail);
}

static void print_identity(const struct link_usb_identity *identity)
{
    printf("%04x:%04x %x.%02x '%s' '%s' '%s'", identity->vendor, identity->product,
           identity->release >> 8, identity->release & 0xFF, identity->manufacturer,
           identity->product_name, identity->serial);
}

static int list(void)
{
    struct link_usb_found *found = NULL;
    struct failure failure = {0};
    size_t count = 0;

    if (link_usb_list(&found, &count, &failure) != 0) {
        print_failure(&failure);
        return 1;
    }
    for (size_t i = 0; i < count; i++) {
        printf("usb:%s ", found[i].place.path);
        print_identity(&found[i].identity);
        printf("%s%s\n", found[i].denied ? " denied" : "", found[i].busy ? " busy" : "");
    }
    free(found);
    return 0;
}

static int open_place(struct probe *probe)
{
    struct operation operation = within(10000000);
    struct failure failure = {0};

    if (link_usb_open(&probe->place, &operation, &probe->usb, &failure) != 0) {
        print_failure(&failure);
        return -1;
    }
    printf("open ");
    print_identity(link_usb_identity(probe->usb));
    printf("\n");
    return 0;
}

/* "in:1:0:0:8" */
static int parse_transfer(const char *text, const struct probe *probe, uint8_t *data,
                          struct link_usb_transfer *transfer)
{
    unsigned request = 0, value = 0, index = 0, length = 0;
    char direction[4];

    if (sscanf(text, "%3[a-z]:%u:%u:%u:%u", direction, &request, &value, &index, &length) != 5 ||
        (strcmp(direction, "in") != 0 && strcmp(direction, "out") != 0) ||
        length > LINK_USB_TRANSFER_BYTES_MAX)
        return -1;
    *transfer = (struct link_usb_transfer){.request_type = direction[0] == 'i' ? 0xC0 : 0x40,
                                           .request = (uint8_t)request,
                                           .value = (uint16_t)value,
                                           .index = (uint16_t)index,
                                           .length = (uint16_t)length,
                                           .data = data,
                                           .silence_us = probe->silence_us};
    for (unsigned i = 0; i < length; i++)
        data[i] = transfer->request_type == 0x40 ? (uint8_t)i : 0xEE;
    return 0;
}

static void print_transfer(const struct link_usb_transfer *transfer)
{
    printf(" %u", transfer->received);
    if (transfer->request_type != 0xC0 || transfer->received == 0)
        return;
    printf("=");
    for (unsigned i = 0; i < transfer->received && i < 16; i++)
        printf("%02x", transfer->data[i]);
    if (transfer->received > 16)
        printf("…%02x", transfer->data[transfer->received - 1]);
}

static int do_run(struct probe *probe, char *text)
{
    struct link_usb_transfer transfers[RUN_MAX];
    struct operation operation = within(probe->deadline_us);
    struct failure failure = {0};
    size_t count = 0, done = 0;
    int result = 0;
    char *rest = NULL;

    for (char *one = strtok_r(text, ",", &rest); one != NULL && count < RUN_MAX;
         one = strtok_r(NULL, ",", &rest), count++)
        if (parse_transfer(one, probe, probe->data[count], &transfers[count]) != 0)
            return -1;
    int64_t begun_us = operation_now_us();
    result = link_usb_control(probe->usb, transfers, count, &operation, &done, &failure);
    int64_t took_us = operation_now_us() - begun_us;
    printf("done %zu of %zu in %lld ms:", done, count, (long long)(took_us / 1000));
    for (size_t i = 0; i < done; i++)
        print_transfer(&transfers[i]);
    printf("%s", result == 0 ? "\n" : " ");
    if (result != 0)
        print_failure(&failure);
    return 0;
}

static void print_bytes(const uint8_t *bytes, size_t count)
{
    printf(" %zu", count);
    for (size_t i = 0; i < count && i < 16; i++)
        printf("%s%02x", i == 0 ? "=" : "", bytes[i]);
    if (count > 16)
        printf("…%02x", bytes[count - 1]);
}

/* "bulk:0103:64" */
static int do_bulk(struct probe *probe, const char *text)
{
    struct operation operation = within(probe->deadline_us);
    struct failure failure = {0};
    struct link_usb_exchange exchange = {
        .out = probe->data[0], .in = probe->data[1], .silence_us = probe->silence_us};
    unsigned byte = 0;

    while (sscanf(text, "%2x", &byte) == 1 && exchange.out_count < sizeof probe->data[0]) {
        probe->data[0][exchange.out_count++] = (uint8_t)byte;
        text += 2;
    }
    if (*text != ':')
        return -1;
    exchange.in_room = strtoul(text + 1, NULL, 10);
    int result = link_usb_exchange(probe->usb, &exchange, &operation, &failure);
    printf("bulk %zu:", exchange.out_count);
    print_bytes(exchange.in, exchange.received);
    printf("%s", result == 0 ? "\n" : " ");
    if (result != 0)
        print_failure(&failure);
    return 0;
}

static int do_on_link(struct probe *probe, const char *name,
                      int (*act)(struct link_usb *, const struct operation *, struct failure *))
{
    struct operation operation = within(probe->deadline_us);
    struct failure failure = {0};
    int result = act(probe->usb, &operation, &failure);

    printf("%s: %s", name, result == 0 ? "done\n" : "");
    if (result != 0)
        print_failure(&failure);
    return 0;
}

static int open_beside(const char *place)
{
    static struct probe other;
    struct failure failure = {0};

    if (place_parse(place, &other.place, &failure) != 0) {
        print_failure(&failure);
        return -1;
    }
    int result = open_place(&other);
    link_usb_close(other.usb);
    other.usb = NULL;
    return result;
}

static int do_step(struct probe *probe, char *step)
{
    if (strncmp(step, "silence:", 8) == 0) {
        probe->silence_us = 1000 * strtoll(step + 8, NULL, 10);
    } else if (strncmp(step, "deadline:", 9) == 0) {
        probe->deadline_us = 1000 * strtoll(step + 9, NULL, 10);
    } else if (strcmp(step, "wait") == 0) {
        int byte;

        while ((byte = getchar()) != EOF && byte != '\n')
            continue;
    } else if (strcmp(step, "reopen") == 0) {
        link_usb_close(probe->usb);
        probe->usb = NULL;
        return open_place(probe);
    } else if (strncmp(step, "bulk:", 5) == 0) {
        return do_bulk(probe, step + 5);
    } else if (strcmp(step, "clear") == 0) {
        return do_on_link(probe, step, link_usb_clear);
    } else if (strcmp(step, "reset") == 0) {
        return do_on_link(probe, step, link_usb_reset);
    } else if (strncmp(step, "beside:", 7) == 0) {
        return open_beside(step + 7);
    } else {
        return do_run(probe, step);
    }
    return 0;
}

int main(int argc, char **argv)
{
    static struct probe probe = {.silence_us = 5000000, .deadline_us = 60000000};
    struct failure failure = {0};
    int status = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 2 && strcmp(argv[1], "list") == 0)
        return list();
    if (argc < 2 || place_parse(argv[1], &probe.place, &failure) != 0) {
        fprintf(stderr, "usage: usb_probe list | PLACE [STEP…]\n%s\n", failure.detail);
        return 2;
    }
    if (open_place(&probe) != 0)
        return 1;
    for (int i = 2; i < argc && status == 0; i++)
        if (do_step(&probe, argv[i]) != 0)
            status = 1;
    link_usb_close(probe.usb);
    return status;
}
