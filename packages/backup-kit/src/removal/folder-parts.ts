import type { ObjectSpool, SpooledObject, SpoolRange } from './object-spool.ts'

/** What of one backup's folder was listed one after the other. */
export interface FolderPart extends SpoolRange {
  readonly backup: string
  readonly objects: number
  readonly bytes: number
}

/** Puts objects of backups' folders into a spool and tells where those of each backup are. */
export interface FolderParts {
  add(backup: string, object: SpooledObject): void
  /** All that was added; one for each backup as long as its objects came together. */
  parts(): readonly FolderPart[]
}

/** Memory: one record for each backup. */
export function createFolderParts(spool: ObjectSpool): FolderParts {
  const done: FolderPart[] = []
  let current: { readonly backup: string; readonly from: number; objects: number; bytes: number } | undefined
  const close = (): void => {
    if (current !== undefined) done.push({ ...current, to: spool.position() })
    current = undefined
  }
  return {
    add(backup, object) {
      if (current !== undefined && current.backup !== backup) close()
      current ??= { backup, from: spool.position(), objects: 0, bytes: 0 }
      current.objects += 1
      current.bytes += object.size
      spool.add(object)
    },
    parts() {
      close()
      return done
    },
  }
}
