{{/* What every object of the release carries. */}}
{{- define "flux-security-operator.labels" -}}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/name: flux-security-operator
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What pods are found by. */}}
{{- define "flux-security-operator.selector" -}}
app.kubernetes.io/name: flux-security-operator
{{- end }}

{{- define "flux-security-operator.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ with .Values.image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "flux-security-operator.priorityClass" -}}
{{ .Values.priorityClass.name | default (ternary "flux-security-operator" "" .Values.priorityClass.create) }}
{{- end }}
