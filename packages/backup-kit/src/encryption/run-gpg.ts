import type { GpgResult } from '@waltz/crypto/openpgp'
import { execFile } from 'node:child_process'

/** Armoured keys are a few KiB. */
const MOST_OUTPUT_BYTES = 4_194_304

/** Runs the program `gpg` of this machine. Rejects when it cannot be started. */
export function runGpg(args: readonly string[], input?: string): Promise<GpgResult> {
  return new Promise((resolve, reject) => {
    const child = execFile('gpg', [...args], { maxBuffer: MOST_OUTPUT_BYTES, encoding: 'utf8' }, (error, stdout, stderr) => {
      const { exitCode } = child
      if (exitCode === null) reject(error ?? new Error('gpg was stopped by a signal'))
      else resolve({ exitCode, stdout, stderr })
    })
    child.stdin?.on('error', () => undefined) // it ended without reading: its exit code tells
    child.stdin?.end(input ?? '')
  })
}
