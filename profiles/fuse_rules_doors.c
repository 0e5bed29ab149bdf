/* The fuses that take this station's only way into the board. */
#include "profiles/fuse_rules_case.h"

void fuse_rule_spien(struct fuse_case *looking)
{
    struct part_bit spien = looking->part->spien;

    if (fuse_case_unprogrammed(looking, spien))
        fuse_case_report(looking, spien.memory, NULL, "it unprograms SPIEN; give SPIEN on");
}

void fuse_rule_rstdisbl(struct fuse_case *looking)
{
    struct part_bit rstdisbl = looking->part->rstdisbl;

    if (fuse_case_programmed(looking, rstdisbl))
        fuse_case_report(looking, rstdisbl.memory, NULL, "it programs RSTDISBL; give RSTDISBL off");
}

void fuse_rule_dwen(struct fuse_case *looking)
{
    struct part_bit dwen = looking->part->dwen;

    if (fuse_case_programmed(looking, dwen))
        fuse_case_report(looking, dwen.memory, NULL, "it programs DWEN; give DWEN off");
}
