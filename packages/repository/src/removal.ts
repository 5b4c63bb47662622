/**
 * What deletion needs of a repository: what each key is, where WAL lies in the order of segments, taking objects away with an answer for
 * each of them, and the note that lets the next run finish what one began. Apart from the other entry because nothing that archives or
 * restores needs it.
 */
export { catchupFolder, classifyKey, type KeyArea, type KeyClass, type WalForm } from './removal/classify-key.ts'
export {
  endOfSegments,
  formatPosition,
  positionOf,
  positionOfName,
  positionOfNumber,
  segmentBytesOf,
  type SegmentClaim,
  type SegmentPlace,
} from './removal/wal-position.ts'
export { removeObjects, type RemovalFailure, type RemovalOutcome, type RemoveObjectsOptions } from './removal/remove-objects.ts'
export {
  decodeRemovalIntent,
  encodeRemovalIntent,
  isRemovalIntentKey,
  removalIntentKey,
  removalLeaseKey,
  type RemovalIntent,
} from './removal/removal-intent.ts'
