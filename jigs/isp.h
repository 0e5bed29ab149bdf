/* AVR serial programming over SPI: the only place where four-byte instructions are made. Also what
 * a driver gets for free when all it can do is send one: identify, erase, read, write, waiting.
 * Source of the instructions: "Serial Programming Instruction Set" in the AVR datasheets, for
 * example ATmega328P (8271J) table 28-19. */
#ifndef JIGS_ISP_H
#define JIGS_ISP_H

#include <stdbool.h>
#include <stdint.h>

#include "jigs/operation.h"
#include "profiles/fuse_gate.h"
#include "profiles/part.h"

struct programmer;

/* Made by the functions below only. A driver gets the bytes to send from isp_door_open(). */
struct isp_instruction {
    uint8_t bytes[4];
    struct fuse_permit *permit; /* chip erase, fuse and lock writes; else NULL */
};

struct isp_instruction isp_programming_enable(void);
struct isp_instruction isp_chip_erase(struct fuse_permit *permit);
struct isp_instruction isp_poll_ready(void);
struct isp_instruction isp_load_extended_address(uint32_t byte_address);
struct isp_instruction isp_read_flash(uint32_t byte_address);
struct isp_instruction isp_load_flash(uint32_t byte_address, uint8_t value);
struct isp_instruction isp_write_flash_page(uint32_t byte_address);
struct isp_instruction isp_read_eeprom(uint32_t address);
struct isp_instruction isp_write_eeprom(uint32_t address, uint8_t value);
/* `offset` counts within the page. */
struct isp_instruction isp_load_eeprom(uint32_t offset, uint8_t value);
struct isp_instruction isp_write_eeprom_page(uint32_t address);
struct isp_instruction isp_read_signature(uint8_t index);
struct isp_instruction isp_read_calibration(uint8_t index);
/* `memory` is a fuse or the lock byte. */
struct isp_instruction isp_read_byte(enum part_memory memory);
struct isp_instruction isp_write_byte(enum part_memory memory, uint8_t value,
                                      struct fuse_permit *permit);

/* The one door through which every driver's emit function gets the bytes it sends. An instruction
 * that begins with AC passes only as programming enable, or by spending its permit, which must be
 * for this session, memory and value. FAILURE_FUSE_REFUSED otherwise, and nothing is in `out`. */
int isp_door_open(const struct isp_instruction *instruction, uint32_t session, uint8_t out[4],
                  struct failure *failure);

/* Defaults built on driver->instruct alone. */
int isp_identify(struct programmer *programmer, uint8_t signature[3],
                 const struct operation *operation, struct failure *failure);
int isp_erase(struct programmer *programmer, struct fuse_permit *permit,
              const struct operation *operation, struct failure *failure);
int isp_read(struct programmer *programmer, enum part_memory memory, uint32_t start, uint8_t *bytes,
             uint32_t count, const struct operation *operation, struct failure *failure);
/* Flash: whole pages, into erased memory. */
int isp_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
              const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
              const struct operation *operation, struct failure *failure);

/* Before flash at `byte_address` is read or its page written: loads the extended address where the
 * part needs one and it is not the last one loaded in this session. */
int isp_select_segment(struct programmer *programmer, uint32_t byte_address,
                       const struct operation *operation, struct failure *failure);

/* After an instruction that keeps the part busy: polls RDY/BSY where the part has it (`pollable`),
 * from early on and up to ten times the datasheet's time, else waits the time plus a fifth.
 * FAILURE_BOARD_BUSY when it never got ready. */
int isp_wait_ready(struct programmer *programmer, uint32_t datasheet_us, bool pollable,
                   const struct operation *operation, struct failure *failure);

#endif
