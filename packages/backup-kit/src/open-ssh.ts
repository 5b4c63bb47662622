import type { Settings } from '@waltz/settings'
import type { MaintainedStore } from '@waltz/storage'
import type { KnownHostsFile, SshAuthentication, SshHostKeys, SshStoreOptions } from '@waltz/storage-ssh'
import { networkOptions, type StorageOpening } from './network-settings.ts'
import { readOptionalFile, readSettingFile, settingFileFault, storageSettingFault } from './setting-file.ts'
import type { StorageAddress } from './storage-address.ts'

/** Opens the folder on the host that WALG_SSH_PREFIX names. Connects at the first call. */
export async function openSsh(opening: StorageOpening, address: StorageAddress): Promise<MaintainedStore> {
  const { createSshStore } = await import('@waltz/storage-ssh')
  return createSshStore(sshOptions(opening, address))
}

/**
 * Every setting of SET 5.6 as the store takes it. A port behind the host of the prefix is taken as well as SSH_PORT.
 * @throws Fault `invalid` `STORAGE_SETTING_INVALID` or `STORAGE_FILE_UNUSABLE`, naming settings.
 */
export function sshOptions(opening: StorageOpening, { host, path }: StorageAddress): SshStoreOptions {
  const { settings, context } = opening
  const [, name = host, port] = /^\[?(.+?)\]?(?::(\d+))?$/.exec(host) ?? []
  return {
    ...networkOptions('ssh', opening),
    host: name,
    port: port === undefined ? settings.sshPort : Number(port),
    user: settings.sshUsername ?? context.surroundings.user,
    root: `/${path}`,
    authentication: authenticationOf(settings),
    hostKeys: hostKeysOf(settings, context.surroundings.home),
    connections: settings.sshConnections,
    keepAlive: { intervalMs: settings.sshKeepAlive },
    onLeftover: ({ key, error }) =>
      context.report({
        type: 'storage-warning',
        storage: opening.name,
        message: `the temporary file of ${key} could not be removed (${error instanceof Error ? error.message : 'unknown reason'}); waltz storage orphans lists it`,
      }),
  }
}

/** Key, agent, password, in this order; the agent of the environment only where neither of the others is given. */
function authenticationOf(settings: Settings): SshAuthentication {
  const { sshPrivateKeyPath, sshKeyPassphrase, sshPassword, sshAgent, sshAuthSock } = settings
  const isOwn = sshPrivateKeyPath !== undefined || sshPassword !== undefined
  const agentSocket = sshAgent ?? (isOwn ? undefined : sshAuthSock)
  if (!isOwn && agentSocket === undefined)
    throw storageSettingFault(
      'nothing proves to the SSH server who is asking',
      'set SSH_PRIVATE_KEY_PATH, SSH_PASSWORD or WALTZ_SSH_AGENT, or start with SSH_AUTH_SOCK in the environment',
    )
  return {
    ...(sshPrivateKeyPath !== undefined && {
      privateKey: { text: readPrivateKey(sshPrivateKeyPath), ...(sshKeyPassphrase !== undefined && { passphrase: sshKeyPassphrase }) },
    }),
    ...(agentSocket !== undefined && { agentSocket }),
    ...(sshPassword !== undefined && { password: sshPassword }),
  }
}

function readPrivateKey(path: string): string {
  const text = readSettingFile('SSH_PRIVATE_KEY_PATH', path)
  if (/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----|^PuTTY-User-Key-File/m.test(text)) return text
  throw settingFileFault('SSH_PRIVATE_KEY_PATH', 'holds no private key')
}

function hostKeysOf(settings: Settings, home: string | undefined): SshHostKeys {
  const { sshHostKeyCheck, sshHostFingerprint, sshKnownHosts } = settings
  if (!sshHostKeyCheck) return { kind: 'accept-any' }
  if (sshHostFingerprint !== undefined) return { kind: 'fingerprints', sha256: sshHostFingerprint.split(/[\s,]+/).filter(Boolean) }
  if (sshKnownHosts !== undefined) {
    const paths = sshKnownHosts.split(':').filter(Boolean)
    return { kind: 'known-hosts', files: paths.map((path) => ({ path, text: readSettingFile('WALTZ_SSH_KNOWN_HOSTS', path) })) }
  }
  const usual = [...(home === undefined ? [] : [`${home}/.ssh/known_hosts`]), '/etc/ssh/ssh_known_hosts']
  return { kind: 'known-hosts', files: usual.flatMap(readIfThere) }
}

function readIfThere(path: string): readonly KnownHostsFile[] {
  const text = readOptionalFile('WALTZ_SSH_KNOWN_HOSTS', path)
  return text === undefined ? [] : [{ path, text }]
}
