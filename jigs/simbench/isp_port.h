/* Where the six ISP lines of a simulated programmer lead. */
#ifndef JIGS_SIMBENCH_ISP_PORT_H
#define JIGS_SIMBENCH_ISP_PORT_H

#include <stdbool.h>
#include <stdint.h>

/* What becomes of the programmer in the middle of a frame. */
enum isp_mishap {
    ISP_MISHAP_NONE,
    ISP_MISHAP_HANG,
    ISP_MISHAP_RESET,
    ISP_MISHAP_UNPLUG, /* for as long as `away_us` says */
    /* only of a USB programmer, and of the transfer that the frame belongs to: */
    ISP_MISHAP_STALL, /* it ends with a stall */
    ISP_MISHAP_SHORT, /* it ends here, as if it were whole */
    ISP_MISHAP_NAK    /* it is not answered, until the host gives it up */
};

struct isp_port {
    void (*drive_reset)(void *context, bool low);
    /* One four-byte frame. */
    enum isp_mishap (*transfer)(void *context, const uint8_t mosi[4], uint8_t miso[4],
                                int64_t sck_hz, int64_t now_us, int64_t *away_us);
    /* The text that the ArduinoISP sketch prints when it starts; NULL: none. May be NULL. */
    const char *(*banner)(void *context);
    /* The host had a bootloader write a page of the programmer's own flash. */
    void (*bootloader_page)(void *context);
    /* The programmer takes its hands off the board, until it drives RESET low again: what lies
     * between is one visit. Called by USB programmers, and by serial ones whose table says
     * so (wire_firmware.h); may be NULL. */
    void (*let_go)(void *context);
    /* The board's supply, as its plug has it; 0: none. NULL: nobody measures it. */
    int64_t (*supply_mv)(void *context);
    void *context;
};

#endif
