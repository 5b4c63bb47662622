/** Backups: sentinels directly in it, one folder per backup (RF 1.1). */
export const backupsFolder = 'basebackups_005/'

/** Archived WAL files, without sub-folders (RF 1.5). */
export const walFolder = 'wal_005/'

/** What Waltz keeps about the whole repository; WAL-G never looks there. */
export const waltzFolder = 'waltz/'

/** Which cluster the repository belongs to: see `encodeClusterIdentity`. */
export const clusterIdentityKey = 'waltz/cluster.json'

/** What the name of every sentinel ends in. */
export const sentinelSuffix = '_backup_stop_sentinel.json'

/** The key whose presence makes a backup exist; written last. */
export function sentinelKey(backup: string): string {
  return `${backupsFolder}${backup}${sentinelSuffix}`
}

/** The folder of everything of a backup but its sentinel, ending in '/'. */
export function backupFolder(backup: string): string {
  return `${backupsFolder}${backup}/`
}

/** The key of the small metadata. */
export function metadataKey(backup: string): string {
  return `${backupFolder(backup)}metadata.json`
}

/** The key of the file list. */
export function filesMetadataKey(backup: string): string {
  return `${backupFolder(backup)}files_metadata.json`
}

/** The folder of the tar parts, ending in '/'. Nothing else may lie in it: WAL-G takes every object there for an archive. */
export function partsPrefix(backup: string): string {
  return `${backupFolder(backup)}tar_partitions/`
}

/** The key of one part; `part` is the whole object name, such as `part_001.tar.lz4`. */
export function partKey(backup: string, part: string): string {
  return partsPrefix(backup) + part
}

/** Waltz's record of sizes and checksums, beside what WAL-G reads: see `encodeManifest`. */
export function manifestKey(backup: string): string {
  return `${backupFolder(backup)}waltz/manifest.json`
}

/** The lease of the process that is making the backup: see `createLease`. */
export function leaseKey(backup: string): string {
  return `${backupFolder(backup)}waltz/lease.json`
}

/** The key of an archived WAL file; `name` includes the codec's extension. */
export function walKey(name: string): string {
  return walFolder + name
}

/** The base name of data part `number` (from 1), without a codec's extension: `part_001.tar`, `part_1000.tar`. */
export function partName(number: number): string {
  return `part_${String(number).padStart(3, '0')}.tar`
}

/** The base name of the part with the control file only. */
export const controlPartName = 'pg_control.tar'

/** The base name of the part with `backup_label` and `tablespace_map`. */
export const labelPartName = 'backup_label.tar'

/**
 * What a stored part is, by its name with or without an extension (a trailing dot included, as release 3.0.8 wrote
 * it): the control file, the label files, or data. The first two are extracted after everything else (RF 3.10).
 */
export function partRole(name: string): 'control' | 'label' | 'data' {
  const match = /(pg_control|backup_label)\.tar(?:\..*)?$/.exec(name)
  if (match === null) return 'data'
  return match[1] === 'pg_control' ? 'control' : 'label'
}
