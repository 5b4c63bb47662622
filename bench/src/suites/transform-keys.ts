import { execFileSync } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { giveToOrdinaryUser, mustRun } from '@waltz/testkit'
import type { StageName } from '../driver/job.ts'
import { emptyFolder, onPath } from '../files.ts'
import type { Bench, TransformJob } from '../model.ts'
import { GPG_USER } from '../peers/programs.ts'

/** A key of OpenPGP that both sides have, made once in a run; nothing for stages that need none. */
export async function makeKeys(bench: Bench, stage: StageName): Promise<TransformJob['keys']> {
  const folder = bench.folder.join('keys')
  const keys = { keyFile: join(folder, 'key.asc'), gpgHome: join(folder, 'gpg') }
  if (stage !== 'openpgp' || existsSync(keys.keyFile)) return keys
  const { generateKey } = await import('openpgp')
  const [name = '', domain] = GPG_USER.split('@')
  const { privateKey } = await generateKey({ userIDs: [{ name, email: `${name}@${domain}` }], curve: 'curve25519Legacy', type: 'ecc' })
  emptyFolder(folder)
  emptyFolder(keys.gpgHome)
  writeFileSync(keys.keyFile, privateKey, { mode: 0o600 })
  giveToOrdinaryUser(keys.keyFile)
  if (onPath('gpg') !== undefined) await mustRun('gpg', ['--homedir', keys.gpgHome, '--batch', '--quiet', '--import', keys.keyFile])
  return keys
}

/** Ends the agent that gpg has started for these keys. */
export function endAgent(bench: Bench): void {
  const home = bench.folder.join('keys', 'gpg')
  if (existsSync(home)) execFileSync('gpgconf', ['--homedir', home, '--kill', 'all'], { stdio: 'ignore' })
}
