/* SPDX-License-Identifier: Apache-2.0
 *
 * How many CPUs' worth of time the control group grants, v1 and v2.
 */
#ifndef ATTUNE_ARCH_QUOTA_H
#define ATTUNE_ARCH_QUOTA_H

/* CPUs, rounded up; 0: no quota. `membership` is /proc/self/cgroup and `mount` /sys/fs/cgroup, but
 * for tests. */
int attune_quota_cpus(const char *membership, const char *mount);

#endif
