import { Fault } from '@waltz/errors'

/** The target has something else. */
export function conflictFault(key: string, what: string): Fault {
  return new Fault('conflict', 'COPY_CONFLICT', `${key} is in the target already, and is not the same: ${what}`, {
    hint: key.endsWith('/metadata.json')
      ? 'More than the permanent mark differs. Find out which of the two is right and remove the other one. Nothing was replaced.'
      : 'Find out which of the two is right and remove the other one. Nothing was replaced.',
    context: { key },
  })
}

/** What was read is not what was stored once. */
export function damagedSourceFault(key: string, what: string): Fault {
  return new Fault('corrupt', 'COPY_SOURCE_DAMAGED', `${key} cannot be copied: ${what}`, {
    hint: 'It was damaged or changed in the source. Nothing of it was stored; a restore would refuse it, too.',
    context: { key },
  })
}

/** The target does not give back what it was given. `removed` tells whether that is gone again, `cause` why it is not. */
export function notStoredFault(
  key: string,
  what: string,
  { removed, cause }: { readonly removed: boolean; readonly cause?: unknown },
): Fault {
  return new Fault('corrupt', 'COPY_NOT_STORED', `${key} did not arrive: ${what}${removed ? '' : '; it is still there'}`, {
    hint: removed
      ? 'It was damaged on the way, or in the target, and was removed there. Run the command again.'
      : 'It was damaged on the way, or in the target. Remove it there, and run the command again.',
    context: { key },
    cause,
  })
}

/** Something that a finished backup must have is not there. */
export function incompleteFault(backup: string, what: string): Fault {
  return new Fault('corrupt', 'COPY_SOURCE_INCOMPLETE', `${backup} is not whole in the source: ${what}`, {
    hint: 'It was not announced in the target. Remove the backup from the source, or bring the object back.',
    context: { backup },
  })
}

/** The source gave the backup up during the copy: what was read of it may not be all. */
export function goneFault(backup: string): Fault {
  return new Fault('conflict', 'COPY_SOURCE_GONE', `${backup} was removed from the source while it was copied`, {
    hint: 'It was not announced in the target. Copy another backup, and not while a deletion is at work in the source.',
    context: { backup },
  })
}
