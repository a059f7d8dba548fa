{{- define "gaiarouter.name" -}}
{{ default .Chart.Name .Values.nameOverride | trunc 52 | trimSuffix "-" }}
{{- end }}

{{- define "gaiarouter.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains (include "gaiarouter.name" .) .Release.Name -}}
{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name (include "gaiarouter.name" .) | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "gaiarouter.selector" -}}
app.kubernetes.io/name: {{ include "gaiarouter.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "gaiarouter.labels" -}}
{{ include "gaiarouter.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "gaiarouter.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "gaiarouter.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "gaiarouter.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- /* Settings that a running gateway does not take in: a change of them rolls the pods. */}}
{{- define "gaiarouter.restartOn" -}}
{{- pick .Values.config "server" "store" "redis" "ledger" "upstream" | toYaml | sha256sum -}}
{{- end }}

{{- define "gaiarouter.scheme" -}}
{{ ternary "HTTPS" "HTTP" (hasKey .Values.config.server "tls") }}
{{- end }}
