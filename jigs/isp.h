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
/* Loads a byte into the page buffer; where `part` has no pages: writes it. */
struct isp_instruction isp_load_flash(const struct part *part, uint32_t byte_address,
                                      uint8_t value);
struct isp_instruction isp_write_flash_page(uint32_t byte_address);
struct isp_instruction isp_read_eeprom(uint32_t address);
struct isp_instruction isp_write_eeprom(uint32_t address, uint8_t value);
/* `offset` counts within the page. */
struct isp_instruction isp_load_eeprom(uint32_t offset, uint8_t value);
struct isp_instruction isp_write_eeprom_page(uint32_t address);
struct isp_instruction isp_read_signature(uint8_t index);
struct isp_instruction isp_read_calibration(uint8_t index);
/* `memory` is a fuse or the lock byte that `part` has and that ISP can read, or write. Each part
 * has its own instructions for them. */
struct isp_instruction isp_read_byte(const struct part *part, enum part_memory memory);
struct isp_instruction isp_write_byte(const struct part *part, enum part_memory memory,
                                      uint8_t value, struct fuse_permit *permit);
/* The value that `reply`, the fourth byte that came back for isp_read_byte(), holds; bits that the
 * part does not give are 1. */
uint8_t isp_byte_of_reply(const struct part *part, enum part_memory memory, uint8_t reply);

/* The one door through which every driver's emit function gets the bytes it sends. What writes a
 * fuse or the lock byte of `part`, the part of the session, passes only by spending its permit,
 * which must be for this session, memory and value; a chip erase likewise. Of the rest, what begins
 * with AC passes only as programming enable: the same bytes may be nothing on one part and a fuse
 * write on another. FAILURE_FUSE_REFUSED otherwise, and nothing is in `out`. */
int isp_door_open(const struct part *part, const struct isp_instruction *instruction,
                  uint32_t session, uint8_t out[4], struct failure *failure);

/* Erased memory: all FF. */
bool isp_is_blank(const uint8_t *bytes, uint32_t count);
/* Does the instruction write a fuse or lock bits? A chip erase does not. */
bool isp_writes_fuse_or_lock(const uint8_t bytes[4]);
/* Of all instructions that a part is sent while it is ready, does this one write? What loads a page
 * buffer does not. */
bool isp_changes_board(const uint8_t bytes[4]);
/* A part with sync_echo gives back each byte while it hears the next one. FAILURE_CONTACT_LOST when
 * `heard`, what came back for the first three bytes of `sent` or for all of them, is not that. */
int isp_check_heard(const struct part *part, const uint8_t sent[4], const uint8_t *heard,
                    struct failure *failure);

/* Defaults built on driver->instruct alone. */
int isp_identify(struct programmer *programmer, uint8_t signature[3],
                 const struct operation *operation, struct failure *failure);
int isp_erase(struct programmer *programmer, struct fuse_permit *permit,
              const struct operation *operation, struct failure *failure);
int isp_read(struct programmer *programmer, enum part_memory memory, uint32_t start, uint8_t *bytes,
             uint32_t count, const struct operation *operation, struct failure *failure);
/* Flash: whole pages, or any bytes where the part has none, into erased memory: what is FF is not
 * written. */
int isp_write(struct programmer *programmer, enum part_memory memory, uint32_t start,
              const uint8_t *bytes, uint32_t count, struct fuse_permit *permit,
              const struct operation *operation, struct failure *failure);

/* Writes `count` bytes to EEPROM from `start`, piece by piece, for drivers that write a piece in a
 * way of their own: one that does not reach beyond a page where EEPROM has pages, else one byte. */
typedef int isp_write_piece(struct programmer *programmer, uint32_t address, const uint8_t *bytes,
                            uint32_t count, const struct operation *operation,
                            struct failure *failure);
int isp_write_eeprom_pieces(struct programmer *programmer, uint32_t start, const uint8_t *bytes,
                            uint32_t count, isp_write_piece *write_piece,
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

/* Value polling ("Data Polling", for example ATmega32A (8155), "Serial Downloading"): a part
 * without RDY/BSY gives certain values while it writes, and what was written when it is ready.
 * Finds, of `count` bytes that were written to flash or EEPROM at `start`, one that tells by its
 * value; `at` receives where, from `start`. False where the part has RDY/BSY or where none tells.
 */
bool isp_can_poll_value(const struct part *part, enum part_memory memory, const uint8_t *bytes,
                        uint32_t count, uint32_t *at);
/* What reads one byte of flash or EEPROM. */
struct isp_instruction isp_read_at(enum part_memory memory, uint32_t address);
/* After `count` bytes at `start` were written to flash or EEPROM in one go: until the part is
 * ready. By RDY/BSY, else by value, else by waiting. A value that never comes is not a failure
 * here: after the datasheet's time plus a fifth the part is ready, and reading back tells what it
 * holds. */
int isp_wait_written(struct programmer *programmer, enum part_memory memory, uint32_t start,
                     const uint8_t *bytes, uint32_t count, const struct operation *operation,
                     struct failure *failure);

#endif
