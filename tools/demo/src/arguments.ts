import { storageKinds, type StorageKind } from './storage.ts'

/** What the demo is asked to do. */
export interface DemoRequest {
  readonly keep: boolean
  readonly kind: StorageKind
}

const USAGE = `the demo takes --keep and --storage ${storageKinds.join('|')}, as in: npm run demo -- --storage s3`

/** Reads the demo's arguments, or says what is wrong with them. */
export function readArguments(args: readonly string[]): DemoRequest | { readonly problem: string } {
  let keep = false
  let kind: StorageKind = 'file'
  for (let index = 0; index < args.length; index += 1) {
    const argument = args[index] ?? ''
    const [flag, joined] = argument.split('=', 2)
    if (argument === '--keep') keep = true
    else if (flag === '--storage') {
      const name = joined ?? args[(index += 1)]
      const known = storageKinds.find((one) => one === name)
      if (known === undefined) return { problem: `${name === undefined ? '--storage names nothing' : `unknown storage ${name}`}; ${USAGE}` }
      kind = known
    } else return { problem: `unknown argument ${argument}; ${USAGE}` }
  }
  if (keep && kind !== 'file')
    return { problem: `--keep keeps a folder, and the server of ${kind} ends with the demo: take one of the two` }
  return { keep, kind }
}
