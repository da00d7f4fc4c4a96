"""Every event of Assay: the one place where they are defined. Fields are only ever added."""

from shared.cloudevents import EVENTS
from shared.events.access import AliasBound, AliasClaimed, AuditRecorded, FileDeleted, PermissionChanged
from shared.events.candidate import Candidate
from shared.events.configuration import PolicyDeleted, PolicyPinned, PolicyPublished, SuiteDeleted, SuitePublished
from shared.events.datasets import (
    DatasetReady,
    DatasetRejected,
    DatasetRendered,
    DatasetUploaded,
    SuiteOverlap,
    UploadOptions,
)
from shared.events.evaluation import EvalDone
from shared.events.feedback import FeedbackRecorded
from shared.events.hyperparameters import Hyperparameters, TrainingSpec
from shared.events.measurements import Comparison, Contamination, Interval, Score, TrainingMetrics
from shared.events.questions import (
    EvaluatedModel,
    EvaluationAnswered,
    EvaluationProgress,
    EvaluationRequested,
    ModelScores,
)
from shared.events.registry import UnknownEventTypeError, json_schemas, parse
from shared.events.requests import (
    TrainingCancelRequested,
    TrainingPauseRequested,
    TrainingRequested,
    TrainingResumeRequested,
)
from shared.events.review import (
    ModelApproved,
    ModelRejected,
    ReviewOpened,
    ReviewScored,
    ReviewWaiting,
    RuleOutcome,
    Verdict,
)
from shared.events.routing import PoolChanged, RoutingChanged, TrafficRule, TrafficShadow, TrafficShare
from shared.events.serving import ModelDeleted, ModelDeployed, ModelDeploymentFailed, ModelRolledBack
from shared.events.templates import Decoding, PromptTemplate, TemplatePublished, TemplateRef
from shared.events.training import CheckpointSaved, JobEnded, TrainingFinished, TrainingProgress, TrainingQueued
from shared.events.values import Artifact, Failure, RowError, Split, Splits, Value

__all__ = [
    "EVENTS",
    "AliasBound",
    "AliasClaimed",
    "Artifact",
    "AuditRecorded",
    "Candidate",
    "CheckpointSaved",
    "Comparison",
    "Contamination",
    "DatasetReady",
    "DatasetRejected",
    "DatasetRendered",
    "DatasetUploaded",
    "Decoding",
    "EvalDone",
    "EvaluatedModel",
    "EvaluationAnswered",
    "EvaluationProgress",
    "EvaluationRequested",
    "Failure",
    "FeedbackRecorded",
    "FileDeleted",
    "Hyperparameters",
    "Interval",
    "JobEnded",
    "ModelApproved",
    "ModelDeleted",
    "ModelDeployed",
    "ModelDeploymentFailed",
    "ModelRejected",
    "ModelRolledBack",
    "ModelScores",
    "PermissionChanged",
    "PolicyDeleted",
    "PolicyPinned",
    "PolicyPublished",
    "PoolChanged",
    "PromptTemplate",
    "ReviewOpened",
    "ReviewScored",
    "ReviewWaiting",
    "RoutingChanged",
    "RowError",
    "RuleOutcome",
    "Score",
    "Split",
    "Splits",
    "SuiteDeleted",
    "SuiteOverlap",
    "SuitePublished",
    "TemplatePublished",
    "TemplateRef",
    "TrafficRule",
    "TrafficShadow",
    "TrafficShare",
    "TrainingCancelRequested",
    "TrainingFinished",
    "TrainingMetrics",
    "TrainingPauseRequested",
    "TrainingProgress",
    "TrainingQueued",
    "TrainingRequested",
    "TrainingResumeRequested",
    "TrainingSpec",
    "UnknownEventTypeError",
    "UploadOptions",
    "Value",
    "Verdict",
    "json_schemas",
    "parse",
]
