import type { BackupKit, KitSurroundings } from '@waltz/backup-kit'
import type { Settings } from '@waltz/settings'
import type { CommandIo } from './command.ts'
import { version } from './version.ts'

/**
 * Opens the kit for the command that asked for it. The kit is loaded here and nowhere else, so that help, usage errors
 * and bad settings cost nothing.
 */
export async function openKitFor(settings: Settings, io: CommandIo, observe: KitSurroundings['observe']): Promise<BackupKit> {
  const { openBackupKit } = await import('@waltz/backup-kit')
  return await openBackupKit(settings, surroundingsOf(io, observe))
}

/** What a kit needs to know of this process. */
export function surroundingsOf(io: CommandIo, observe: KitSurroundings['observe']): KitSurroundings {
  const host = io.host ?? {}
  return {
    now: io.now,
    hostname: io.hostname,
    user: host.user ?? 'postgres',
    home: io.home,
    processId: host.processId ?? 0,
    cores: host.cores ?? 1,
    temporaryFolder: host.temporaryFolder ?? io.env['TMPDIR'] ?? '/tmp',
    tool: { name: 'waltz', version },
    ...(observe === undefined ? {} : { observe }),
  }
}
