/**
 * What people do with a store by hand, for any store: patterns over names, copies from one store into another.
 */
export { compileGlob, expandGlob, hasGlobCharacters, type GlobMatch } from './tools/glob.ts'
export { copyObject, objectExists, type CopyObjectOptions } from './tools/copy-object.ts'
export {
  objectsToTransfer,
  transferObjects,
  type TransferEvent,
  type TransferFailure,
  type TransferGroup,
  type TransferOptions,
  type TransferOutcome,
} from './tools/transfer.ts'
export {
  probeStore,
  type ProbeCheck,
  type ProbeContext,
  type ProbeAdvice,
  type ProbeAnswer,
  type ProbeOptions,
  type ProbeOutcome,
  type ProbeReport,
  type ProbeResult,
} from './tools/probe.ts'
