"""The documents of Trawl's database as AlphaKraken's programs see them: which types their ids have, which fields they need, which
words they know. Written after docs/alphakraken.md; no code of AlphaKraken's."""

import mongoengine as me

RAW_STATUSES = ("ignored queued_for_monitoring monitoring_acquisition monitoring_done checksumming checksumming_done copying copying_done "
                "acquisition_failed queued_for_quanting quanting quanting_failed error done done_not_quanted").split()
BACKUP_STATUSES = "copying_in_progress copying_done copying_failed upload_in_progress upload_done upload_failed skipped".split()
ON_INSTRUMENT = "n/a initial renamed moved purged".split()


class RawFile(me.Document):
    meta = {"strict": False, "collection": "raw_file"}
    id = me.StringField(primary_key=True, max_length=255)
    original_name = me.StringField(required=True)
    collision_flag = me.StringField()
    instrument_id, project_id = me.StringField(max_length=32), me.StringField(max_length=32)
    status = me.StringField(choices=RAW_STATUSES)
    status_details = me.StringField()
    size = me.IntField(min_value=-1)
    backup_base_path, s3_upload_path = me.StringField(), me.StringField()
    backup_status = me.StringField(choices=BACKUP_STATUSES)
    instrument_file_status = me.StringField(choices=ON_INSTRUMENT)
    file_info = me.DictField()
    created_at, created_at_, updated_at_ = me.DateTimeField(required=True), me.DateTimeField(), me.DateTimeField()


class Metrics(me.DynamicDocument):
    meta = {"collection": "metrics"}
    raw_file = me.ReferenceField(RawFile, required=True)
    settings_name = me.StringField(required=True, max_length=64)
    settings_version = me.IntField(min_value=1)
    type = me.StringField(choices="alphadia msqc skyline diann custom".split())
    output_path = me.StringField(max_length=512)
    created_at_ = me.DateTimeField(required=True)


class Project(me.Document):
    meta = {"strict": False, "collection": "project"}
    id = me.StringField(primary_key=True, min_length=4, max_length=16)
    name = me.StringField(required=True)
    status = me.StringField(choices=("active", "inactive"))


class Settings(me.Document):
    meta = {"strict": False, "collection": "settings", "auto_create_index": False}
    number = me.IntField(required=True, min_value=1)
    name = me.StringField(required=True, max_length=64, regex=r"^[a-zA-Z0-9_]+$")
    version = me.IntField(required=True, min_value=1)
    fasta_file_name, speclib_file_name, config_file_name = me.StringField(), me.StringField(), me.StringField()
    config_params, description = me.StringField(), me.StringField()
    software_type = me.StringField(required=True, choices="alphadia msqc skyline custom".split())
    software = me.StringField(required=True)
    job_engine = me.StringField(choices="slurm slurm_no_sacct file_based generic".split())
    metrics_type = me.StringField(required=True, choices="alphadia msqc skyline diann custom".split())
    slurm_cpus_per_task, num_threads = me.IntField(min_value=1), me.IntField(min_value=1)
    slurm_mem, slurm_time = me.StringField(), me.StringField()
    status = me.StringField(choices=("active", "inactive"))
    created_at_ = me.DateTimeField(required=True)


class ProjectSettings(me.Document):
    meta = {"strict": False, "collection": "project_settings", "auto_create_index": False}
    project, settings = me.ReferenceField(Project, required=True), me.ReferenceField(Settings, required=True)
    scope, raw_file_id_filter = me.StringField(), me.StringField()
    excluded = me.ListField(me.StringField())
    created_at_ = me.DateTimeField(required=True)


class KrakenStatus(me.Document):
    meta = {"strict": False, "collection": "kraken_status"}
    id = me.StringField(primary_key=True, max_length=64)
    status = me.StringField(required=True, choices=("ok", "error"))
    status_details = me.StringField(max_length=1024)
    free_space_gb = me.IntField(required=True, min_value=-1)
    entity_type = me.StringField(required=True, choices=("instrument", "file_system", "job"))
    updated_at_ = me.DateTimeField(required=True)


ALL = (RawFile, Metrics, Project, Settings, ProjectSettings, KrakenStatus)
