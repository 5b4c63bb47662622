import type { CommandDefinition } from '../command.ts'
import { targetFlag as target } from './storage-flags.ts'

const settings: readonly string[] = [
  'WALG_LIBSODIUM_KEY',
  'WALG_LIBSODIUM_KEY_PATH',
  'WALG_PGP_KEY',
  'WALG_PGP_KEY_PATH',
  'WALG_GPG_KEY_ID',
  'WALG_CSE_KMS_ID',
  'YC_CSE_KMS_KEY_ID',
  'WALTZ_CRYPTO_PREVIOUS_KEYS',
  'WALTZ_CRYPTO_PREVIOUS_KEYS_PATH',
  'WALTZ_CRYPTO_PLAINTEXT_READS',
]

const cryptCheck: CommandDefinition = {
  name: 'crypt check',
  summary: 'Find out whether the configured keys open what is stored',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description:
    'Takes the newest and the oldest backup and the newest and the oldest WAL segment. Of each part of the backups it tries which key fits; the part with the control file and the segments are decrypted and decompressed to their end. Nothing is written. Without a key it says whether anything is encrypted. The exit code is 23 when something does not open. Run it on a machine that has the keys of a restore, not those of the server alone.',
  examples: [
    { command: 'waltz crypt check', explains: 'do my keys open my backups?' },
    { command: 'waltz crypt check --json', explains: 'for monitoring, every day' },
  ],
  flags: [target],
  settings,
  load: async () => (await import('./crypt/crypt-check.run.ts')).runCryptCheck,
}

const cryptRotate: CommandDefinition = {
  name: 'crypt rotate',
  summary: 'Encrypt everything stored anew with the current key',
  positionals: '',
  minArguments: 0,
  maxArguments: 0,
  description:
    'Backups and WAL that a key of WALTZ_CRYPTO_PREVIOUS_KEYS opens are encrypted with the current key. Without --confirm it only counts what lies under which key. Each object is stored anew beside the old one, read back with the current key alone, and only then replaces it; one that fails stays as it was and is named at the end. A run that was interrupted goes on when it is started again. Backups and WAL may be stored meanwhile, under the current key; a restore that began before it may have to be started again. The private key is needed, and the previous keys until everything is under the current one.',
  examples: [
    { command: 'waltz crypt rotate', explains: 'what lies under which key?' },
    { command: 'waltz crypt rotate --confirm', explains: 'bring all of it under the current key' },
  ],
  flags: [
    { name: 'confirm', type: 'boolean', summary: 'Do it; without it objects are only counted' },
    {
      name: 'encrypt-plaintext',
      type: 'boolean',
      summary: 'Encrypt objects, too, that are not encrypted; without it they stay as they are',
    },
    target,
  ],
  settings,
  load: async () => (await import('./crypt/crypt-rotate.run.ts')).runCryptRotate,
}

/** `crypt`: help and flags; the work is in crypt/*.run.ts. */
export const cryptCommands: readonly CommandDefinition[] = [cryptCheck, cryptRotate]
