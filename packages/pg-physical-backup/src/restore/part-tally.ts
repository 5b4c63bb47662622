/** Why a member of a part was not written. */
export interface SkippedMember {
  readonly name: string
  readonly reason: string
}

/** What was written from one part, or from all of them. */
export interface PartTally {
  files: number
  directories: number
  bytes: number
  /** Members that were left out with a reason; at most `maxSkippedTold` of them are named. */
  skipped: SkippedMember[]
  skippedCount: number
  /** `global/pg_control`, held back. */
  controlFile: Uint8Array | undefined
  backupLabel: Uint8Array | undefined
}

const maxSkippedTold = 100

/** Nothing yet. */
export function emptyTally(): PartTally {
  return { files: 0, directories: 0, bytes: 0, skipped: [], skippedCount: 0, controlFile: undefined, backupLabel: undefined }
}

/** Notes a member that is not written. */
export function skipMember(tally: PartTally, name: string, reason: string): void {
  tally.skippedCount++
  if (tally.skipped.length < maxSkippedTold) tally.skipped.push({ name, reason })
}

/** Adds a finished part to the whole; what comes later replaces the control file and the label. */
export function addTally(total: PartTally, part: PartTally): void {
  total.files += part.files
  total.directories += part.directories
  total.bytes += part.bytes
  total.skippedCount += part.skippedCount
  total.skipped = [...total.skipped, ...part.skipped].slice(0, maxSkippedTold)
  total.controlFile = part.controlFile ?? total.controlFile
  total.backupLabel = part.backupLabel ?? total.backupLabel
}
