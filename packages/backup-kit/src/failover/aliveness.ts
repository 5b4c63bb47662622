/** What is known of how a storage answers, as WAL-G keeps it (SET 6). */
export interface StorageStatus {
  /** What the weights of all calls come to, had every one succeeded: a moving average. */
  readonly potential: number
  /** The same with nothing for those that failed. */
  readonly actual: number
  /** The last verdict. */
  readonly alive: boolean
  readonly updatedMs: number
}

/** When a storage counts as alive or dead, and how fast that changes: WALG_FAILOVER_STORAGES_CACHE_EMA_*. */
export interface AlivenessLimits {
  readonly aliveLimit: number
  readonly deadLimit: number
  readonly alphaAliveMax: number
  readonly alphaAliveMin: number
  readonly alphaDeadMax: number
  readonly alphaDeadMin: number
}

/** The part of expected answers that came; without any experience it is just enough to stay what it was. */
export function aliveness({ potential, actual }: StorageStatus, { deadLimit }: AlivenessLimits): number {
  return potential === 0 ? deadLimit : actual / potential
}

/** The status after one more call of this weight. */
export function afterCall(
  status: StorageStatus,
  call: { readonly weight: number; readonly ok: boolean; readonly atMs: number },
  limits: AlivenessLimits,
): StorageStatus {
  const alpha = alphaOf(status, limits)
  const next = {
    potential: call.weight * alpha + status.potential * (1 - alpha),
    actual: (call.ok ? call.weight : 0) * alpha + status.actual * (1 - alpha),
    alive: status.alive,
    updatedMs: call.atMs,
  }
  const needed = status.alive ? limits.deadLimit : limits.aliveLimit
  return { ...next, alive: aliveness(next, limits) >= needed }
}

/** The status after a storage was tried on purpose. */
export function afterTrial(status: StorageStatus | undefined, alive: boolean, atMs: number): StorageStatus {
  // Without experience any number will do; none would read as "nothing is known".
  const potential = status === undefined || status.potential === 0 ? 1 : status.potential
  return { potential, actual: alive ? potential : 0, alive, updatedMs: atMs }
}

/** How much one call counts: most near the edge of death, and for the dead while they are quite dead (SET 6). */
function alphaOf(status: StorageStatus, limits: AlivenessLimits): number {
  const factor = aliveness(status, limits)
  return status.alive
    ? between(limits.alphaAliveMax, limits.alphaAliveMin, (factor - limits.deadLimit) / (1 - limits.deadLimit))
    : between(limits.alphaDeadMax, limits.alphaDeadMin, factor / limits.aliveLimit)
}

function between(first: number, last: number, part: number): number {
  return first + (last - first) * Math.min(1, Math.max(0, part))
}

const MIB = 1_048_576

/** The weight of a call (SET 6): bytes of reads and puts and the number of deleted objects count by their logarithm. */
export function weightOf(operation: string, { bytes, count }: { readonly bytes: number; readonly count: number }): number {
  switch (operation) {
    case 'list':
    case 'listGroups':
    case 'copy':
      return 2000
    case 'get':
    case 'put':
      return bytes > MIB ? 1000 * (1 + Math.log10(bytes / MIB)) : 1000
    case 'delete':
      return 500 * (1 + Math.log10(Math.max(1, count)))
    default:
      return 1000
  }
}
