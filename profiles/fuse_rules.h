/* Named rules over a whole profile: what an engineer sees who reads its fuses and lock bits with
 * the datasheet and the board's drawing in hand. A rule refuses or warns, and says why in one
 * sentence. A refused rule may be accepted by name (`accept_risk`); that accepts the risk for the
 * board, never a deviation from the profile. */
#ifndef PROFILES_FUSE_RULES_H
#define PROFILES_FUSE_RULES_H

#include "profiles/profile.h"

enum fuse_rule_severity { FUSE_RULE_REFUSES, FUSE_RULE_WARNS };

struct fuse_case;

struct fuse_rule {
    const char *name; /* stable: profiles and logs name it */
    enum fuse_rule_severity severity;
    bool may_be_accepted;
    const char *reason;                      /* one sentence, of no board in particular */
    void (*look)(struct fuse_case *looking); /* for fuse_rules.c alone */
};

/* What a rule has against the profile. */
struct fuse_finding {
    const struct fuse_rule *rule;
    enum part_memory memory; /* PART_MEMORY_COUNT: it is not about one byte */
    uint8_t value;           /* of that byte */
    bool is_accepted_value;  /* it stands under `accept` */
    struct profile_position position;
    char detail[FAILURE_DETAIL_BYTES]; /* what was found, and what to do */
    const struct profile_risk *risk;   /* the profile accepts it; NULL: it does not */
};

struct fuse_findings {
    struct fuse_finding *list; /* those that refuse come first */
    size_t count;
};

/* All rules, in the order in which they are looked at. */
const struct fuse_rule *fuse_rules_table(size_t *count);
/* By name; NULL where there is none. */
const struct fuse_rule *fuse_rules_find(const char *name);
/* The name that is nearest in typing errors; NULL where none is near. */
const char *fuse_rules_nearest(const char *name);

/* Everything that the rules have against `profile`, in every combination of written and accepted
 * values with which a board may pass. `site_supply_mv` counts where the profile gives no supply; 0:
 * not known. The caller frees `findings`, also after a failure, which is one of memory only. The
 * profile must outlive them. */
int fuse_rules_apply(const struct profile *profile, int64_t site_supply_mv,
                     struct fuse_findings *findings, struct failure *failure);
void fuse_findings_free(struct fuse_findings *findings);
/* Takes those risks from the profile that it accepts but, at this supply, does not run: they are
 * neither shown nor logged with boards, and open no door. */
int fuse_rules_drop_unused_risks(struct profile *profile, int64_t site_supply_mv,
                                 struct failure *failure);
/* Does the finding stop the profile? */
bool fuse_finding_refuses(const struct fuse_finding *finding);
/* FAILURE_RULE_REFUSED with the first finding that refuses, where it stands, and how many others
 * there are. */
int fuse_findings_judge(const struct profile *profile, const struct fuse_findings *findings,
                        struct failure *failure);
/* The last two in one. */
int fuse_rules_judge(const struct profile *profile, int64_t site_supply_mv,
                     struct failure *failure);

#endif
