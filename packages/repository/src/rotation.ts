/**
 * Which key opens which object of a repository, and bringing all of them under one key, object by object. Apart from the other entry
 * because nothing that archives or restores needs it.
 */
export { findKey, readHead, type KeyFinding, type NamedKey } from './rotation/find-key.ts'
export { isSealedKey, sealedFolders, sideFolder } from './rotation/sealed-objects.ts'
export { surveyKeys, type KeySurvey, type SurveyOptions } from './rotation/survey-keys.ts'
export {
  rotateObjects,
  type RotateOptions,
  type RotationEvent,
  type RotationFailure,
  type RotationOutcome,
  type RotationResult,
} from './rotation/rotate-objects.ts'
export { atOnce } from './rotation/at-once.ts'
export type { Amount } from './rotation/amount.ts'
export { createFormMeter, formOf, sameForm, type FormMeter } from './rotation/stored-form.ts'
