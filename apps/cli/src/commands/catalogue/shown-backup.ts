import type { BackupDescription, BackupWal } from '@waltz/backup-kit'

/** What is shown of one backup. */
export type ShownBackup = BackupDescription & { readonly wal: BackupWal | undefined }

/** What a restore of it reads: itself and everything that it was made from. */
export function chainBytes({ entry, ancestors }: Pick<ShownBackup, 'entry' | 'ancestors'>): number {
  return [entry, ...ancestors].reduce((sum, { folder }) => sum + (folder?.bytes ?? 0), 0)
}
