import { realpathSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { Fault, isFault } from '@waltz/errors'
import { decodeControlFile, type ControlFile } from '@waltz/pg-structures'
import type { ServerFacts } from './server-facts.ts'
import { unreadable } from './source-file.ts'

/** How often pg_control is read until its checksum fits, and how long to wait between, in milliseconds. */
const CONTROL_READS = 20
const CONTROL_PAUSE_MS = 25

/** A data directory that was found to be the server's. */
export interface DataDirectory {
  /** Absolute, symbolic links resolved. */
  readonly path: string
  readonly control: ControlFile
}

/**
 * Makes sure that a directory is the data directory of the server: the same path once links are resolved, and the same
 * system identifier in its control file (the path alone may belong to another host).
 * @throws Fault `invalid` `DATA_DIRECTORY_UNSUITABLE`, `DATA_DIRECTORY_MISMATCH`; `denied` or `unavailable` `DATA_FILE_UNREADABLE`;
 * `corrupt` `CONTROL_FILE_DAMAGED`.
 */
export async function openDataDirectory(given: string, facts: ServerFacts, sleep: (ms: number) => Promise<void>): Promise<DataDirectory> {
  const path = resolvePath(given)
  let served: string
  try {
    served = realpathSync(facts.dataDirectory)
  } catch {
    served = facts.dataDirectory
  }
  if (path !== served) throw mismatch(path, `the server's data directory is ${served}`)
  await readFile(`${path}/PG_VERSION`).catch((error: unknown) => {
    throw notRead(path, 'PG_VERSION', error)
  })
  const { control } = await readControlFile(path, sleep)
  if (control.systemIdentifier !== facts.systemIdentifier) {
    throw mismatch(path, `its system identifier is ${control.systemIdentifier}, the server's is ${facts.systemIdentifier}`)
  }
  return { path, control }
}

function resolvePath(given: string): string {
  try {
    return realpathSync(given)
  } catch (error) {
    throw unsuitable(given, 'it cannot be read', error)
  }
}

/**
 * Reads `global/pg_control` until its checksum is right: the server may be writing it.
 * @throws Fault `corrupt` `CONTROL_FILE_DAMAGED` when it never is; `invalid` `DATA_DIRECTORY_UNSUITABLE` when there is none; `denied` or
 * `unavailable` `DATA_FILE_UNREADABLE`.
 */
export async function readControlFile(
  dataDirectory: string,
  sleep: (ms: number) => Promise<void>,
): Promise<{ bytes: Uint8Array; control: ControlFile }> {
  const path = `${dataDirectory}/global/pg_control`
  for (let attempt = 1; ; attempt += 1) {
    const bytes = await readFile(path).catch((error: unknown) => {
      throw notRead(dataDirectory, 'global/pg_control', error)
    })
    const control = decodeIfSound(bytes)
    if (control !== undefined) return { bytes, control }
    if (attempt === CONTROL_READS) {
      throw new Fault('corrupt', 'CONTROL_FILE_DAMAGED', `the checksum of ${path} is wrong, however often it is read`, {
        hint: 'Check the disk of the data directory before anything else.',
      })
    }
    await sleep(CONTROL_PAUSE_MS)
  }
}

/** Undefined for a copy that was torn by the server's writing. */
function decodeIfSound(bytes: Uint8Array): ControlFile | undefined {
  try {
    const control = decodeControlFile(bytes)
    return control.crcValid ? control : undefined
  } catch (error) {
    if (isFault(error, 'corrupt')) return undefined
    throw error
  }
}

/** A directory without the file is another directory; a file that is there and cannot be read is a matter of rights or of the disk. */
function notRead(dataDirectory: string, name: string, cause: unknown): Fault {
  const { code } = cause as NodeJS.ErrnoException
  if (code === 'ENOENT' || code === 'ENOTDIR') return unsuitable(dataDirectory, `it has no ${name}`, cause)
  return unreadable(`${dataDirectory}/${name}`, cause)
}

function unsuitable(path: string, why: string, cause: unknown): Fault {
  return new Fault(
    'invalid',
    'DATA_DIRECTORY_UNSUITABLE',
    `${path} is not a data directory that can be backed up: ${why}: ${(cause as Error).message}`,
    {
      cause,
      hint: 'Give the data directory of a running server, as a user that may read it.',
    },
  )
}

function mismatch(path: string, why: string): Fault {
  return new Fault('invalid', 'DATA_DIRECTORY_MISMATCH', `${path} does not belong to the server that PGHOST and PGPORT lead to: ${why}`, {
    hint: 'Correct the directory, or PGHOST and PGPORT.',
  })
}
