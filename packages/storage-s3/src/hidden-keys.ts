import { Fault } from '@waltz/errors'
import { checkKey } from '@waltz/storage'

/** Names of Waltz's own small objects; no reader sees them. */
const CLAIM = '.waltz-claim'
const PROBE = '.waltz-probe'

/** The claim object that guards a name while an object is stored under it in parts. */
export function claimKey(key: string): string {
  return key + CLAIM
}

/** An object that never lives long. */
export function probeKey(key: string): string {
  return key + PROBE
}

/** Whether a key is that of a claim. */
export function isClaim(key: string): boolean {
  return key.endsWith(CLAIM)
}

/** Whether a key is one of Waltz's own. */
export function isHidden(key: string): boolean {
  return key.endsWith(CLAIM) || key.endsWith(PROBE)
}

/** Whether a listed name can be an object of the contract: placeholders of folders and other programs' odd names cannot. */
export function isObjectKey(key: string): boolean {
  return !/(?:^|\/)\.{0,2}(?:\/|$)/.test(key) && !isHidden(key)
}

/**
 * Refuses what cannot be the name of a new object.
 * @throws Fault `invalid` `STORAGE_KEY_INVALID`.
 */
export function checkTarget(key: string): void {
  checkKey(key)
  if (isHidden(key))
    throw new Fault('invalid', 'STORAGE_KEY_INVALID', `${key} has the form of one of Waltz's own names, which no object can have`, {
      context: { key },
    })
}
