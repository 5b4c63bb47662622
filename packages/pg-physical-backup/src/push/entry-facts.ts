import type { BigIntStats } from 'node:fs'

/** What a header and the file list say of an entry besides its name and size. */
export interface EntryFacts {
  /** Permission, setuid, setgid and sticky bits. */
  readonly mode: number
  readonly uid: number
  readonly gid: number
  readonly modifiedAtNs: bigint
}

/** Gives the facts of an entry; another one than `factsOfStat` writes a backup as if the files were somebody else's. */
export type FactsOf = (memberName: string, stat: BigIntStats) => EntryFacts

/** The facts as the file system has them. */
export function factsOfStat(_memberName: string, stat: BigIntStats): EntryFacts {
  return { mode: Number(stat.mode) & 0o7777, uid: Number(stat.uid), gid: Number(stat.gid), modifiedAtNs: stat.mtimeNs }
}

/** Whole seconds for a tar header: WAL-G rounds half up (RF 3.4); the exact time stands in files_metadata.json. */
export function nearestSecond(ns: bigint): number {
  const shifted = ns + 500_000_000n
  const seconds = shifted / 1_000_000_000n
  return Number(shifted % 1_000_000_000n < 0n ? seconds - 1n : seconds)
}
