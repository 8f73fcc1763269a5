<?xml version="1.0" encoding="UTF-8"?>
<!--
  A referral as FHIR R4 XML becomes a Referral of the Health and Work service.

  Read: a ServiceRequest with what it contains, or a Bundle. What the message cannot say of itself
  comes as parameters. What is required is always written, if need be empty, so that the schema
  refuses it where it stands. README.md beside this file says which element comes from where.
  Source: FHIR R4 xml.html; XSLT 1.0, without extensions.
-->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"
                xmlns="https://fhir.referral-gateway.example/xml/health-and-work/1"
                xmlns:f="http://hl7.org/fhir" exclude-result-prefixes="f">
  <xsl:output method="xml" encoding="UTF-8" indent="no"/>

  <!-- Of this delivery. Instants are in UTC, to the millisecond. -->
  <xsl:param name="message-id"/>
  <xsl:param name="reference"/>
  <xsl:param name="created"/>
  <xsl:param name="practice"/>
  <!-- How the service may handle it: codes of v3-ActCode, with a blank after each. -->
  <xsl:param name="handling"/>
  <!-- Of what was withheld: by whom, whether as REDACTED, the policies with a blank after each. -->
  <xsl:param name="withheld-by"/>
  <xsl:param name="is-redacted"/>
  <xsl:param name="policies"/>
  <!-- Of the consents, as the sharing rules read them. -->
  <xsl:param name="consent-given-at"/>
  <xsl:param name="consent-evidence"/>
  <xsl:param name="share-with-employer"/>
  <xsl:param name="share-with-practice"/>

  <xsl:variable name="own" select="'https://fhir.referral-gateway.example/'"/>
  <xsl:variable name="ods" select="'fhir.nhs.uk/id/ods-organization-code'"/>
  <xsl:variable name="not-fit"
                select="' 751481000000104 751621000000103 751731000000106 160910001 '"/>
  <xsl:variable name="may-be-fit"
                select="' 751601000000107 751641000000105 751751000000104 225891002 '"/>
  <xsl:variable name="adjustments"
                select="' 775281000000100 775301000000104 775321000000108 775351000000103 '"/>

  <!-- Every resource of the message: a Bundle's, the ServiceRequest, and what that contains. -->
  <xsl:variable name="resources"
                select="/f:Bundle/f:entry/f:resource/* | /f:ServiceRequest
                        | /f:ServiceRequest/f:contained/*
                        | /f:Bundle/f:entry/f:resource/f:ServiceRequest/f:contained/*"/>
  <xsl:variable name="request" select="$resources[self::f:ServiceRequest][1]"/>
  <xsl:variable name="patient" select="$resources[self::f:Patient][1]"/>
  <xsl:variable name="employment"
                select="$request/f:extension[@url = concat($own, 'StructureDefinition/employment')]
                        /f:extension"/>
  <xsl:variable name="absence"
                select="$request/f:extension[@url = concat($own, 'StructureDefinition/absence')]
                        /f:extension"/>

  <xsl:key name="by-url" match="f:Bundle/f:entry/f:resource/*" use="../../f:fullUrl/@value"/>
  <xsl:key name="by-url" match="f:Bundle/f:entry/f:resource/*"
           use="concat(local-name(), '/', f:id/@value)"/>
  <xsl:key name="by-url" match="f:ServiceRequest/f:contained/*" use="concat('#', f:id/@value)"/>

  <xsl:template match="/">
    <Referral version="1.0">
      <xsl:call-template name="header"/>
      <xsl:call-template name="handling"/>
      <xsl:call-template name="withheld"/>
      <xsl:call-template name="person"/>
      <xsl:call-template name="practice"/>
      <xsl:call-template name="referrer"/>
      <xsl:call-template name="employment"/>
      <xsl:call-template name="absence"/>
      <xsl:call-template name="fit-notes"/>
      <xsl:call-template name="adjustments"/>
      <xsl:call-template name="reason"/>
      <xsl:call-template name="consent"/>
      <xsl:call-template name="documents"/>
      <xsl:call-template name="not-carried"/>
    </Referral>
  </xsl:template>

  <!-- ====== which message ====== -->

  <xsl:template name="header">
    <Header>
      <MessageId><xsl:value-of select="$message-id"/></MessageId>
      <Reference><xsl:value-of select="$reference"/></Reference>
      <xsl:for-each select="$request/f:identifier[f:value/@value]">
        <SenderReference>
          <xsl:if test="f:system/@value">
            <xsl:attribute name="system"><xsl:value-of select="f:system/@value"/></xsl:attribute>
          </xsl:if>
          <xsl:value-of select="f:value/@value"/>
        </SenderReference>
      </xsl:for-each>
      <Created><xsl:value-of select="$created"/></Created>
      <Written>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$request/f:authoredOn/@value"/>
        </xsl:call-template>
      </Written>
    </Header>
  </xsl:template>

  <!-- What the purpose asks for, and what the sender set. -->
  <xsl:template name="handling">
    <Handling>
      <xsl:call-template name="each">
        <xsl:with-param name="name" select="'Code'"/>
        <xsl:with-param name="system" select="'http://terminology.hl7.org/CodeSystem/v3-ActCode'"/>
        <xsl:with-param name="left" select="$handling"/>
      </xsl:call-template>
      <xsl:for-each select="$request/f:meta/f:security[f:code/@value]">
        <xsl:call-template name="code"/>
      </xsl:for-each>
    </Handling>
  </xsl:template>

  <xsl:template name="withheld">
    <xsl:if test="$policies">
      <Withheld by="{$withheld-by}">
        <xsl:if test="$is-redacted = 'yes'"><Mark>REDACTED</Mark></xsl:if>
        <xsl:call-template name="each">
          <xsl:with-param name="name" select="'Policy'"/>
          <xsl:with-param name="left" select="$policies"/>
        </xsl:call-template>
      </Withheld>
    </xsl:if>
  </xsl:template>

  <!-- One element for each word of a list that has a blank after each. -->
  <xsl:template name="each">
    <xsl:param name="name"/>
    <xsl:param name="system"/>
    <xsl:param name="left"/>
    <xsl:if test="contains($left, ' ')">
      <xsl:element name="{$name}">
        <xsl:if test="$system"><xsl:attribute name="system"><xsl:value-of select="$system"/></xsl:attribute></xsl:if>
        <xsl:value-of select="substring-before($left, ' ')"/>
      </xsl:element>
      <xsl:call-template name="each">
        <xsl:with-param name="name" select="$name"/>
        <xsl:with-param name="system" select="$system"/>
        <xsl:with-param name="left" select="substring-after($left, ' ')"/>
      </xsl:call-template>
    </xsl:if>
  </xsl:template>

  <!-- ====== who ====== -->

  <xsl:template name="person">
    <Person>
      <NhsNumber>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value"
            select="translate($patient/f:identifier[substring-after(translate(f:system/@value, 'I', 'i'), '://')
                    = 'fhir.nhs.uk/id/nhs-number'][1]/f:value/@value, ' -', '')"/>
        </xsl:call-template>
      </NhsNumber>
      <xsl:variable name="names" select="$patient/f:name[not(f:use/@value = 'old')
                                         and not(f:use/@value = 'maiden')]"/>
      <Name>
        <xsl:choose>
          <xsl:when test="$names[f:use/@value = 'official']">
            <xsl:apply-templates select="$names[f:use/@value = 'official'][1]" mode="name"/>
          </xsl:when>
          <xsl:when test="$names[f:use/@value = 'usual']">
            <xsl:apply-templates select="$names[f:use/@value = 'usual'][1]" mode="name"/>
          </xsl:when>
          <xsl:otherwise><xsl:apply-templates select="$names[1]" mode="name"/></xsl:otherwise>
        </xsl:choose>
      </Name>
      <BirthDate><xsl:value-of select="$patient/f:birthDate/@value"/></BirthDate>
      <Gender>
        <xsl:choose>
          <xsl:when test="$patient/f:gender/@value = 'unknown'">not-known</xsl:when>
          <xsl:otherwise>
            <xsl:call-template name="or-not-known">
              <xsl:with-param name="value" select="$patient/f:gender/@value"/>
            </xsl:call-template>
          </xsl:otherwise>
        </xsl:choose>
      </Gender>
      <xsl:variable name="contact">
        <xsl:apply-templates select="$patient/f:telecom" mode="phone"/>
        <xsl:apply-templates select="$patient/f:telecom" mode="email"/>
        <xsl:apply-templates select="$patient/f:address[not(f:use/@value = 'old')]" mode="address"/>
      </xsl:variable>
      <xsl:choose>
        <xsl:when test="string($contact)"><Contact><xsl:copy-of select="$contact"/></Contact></xsl:when>
        <xsl:otherwise><ContactNotKnown/></xsl:otherwise>
      </xsl:choose>
      <xsl:for-each select="$patient/f:communication/f:language">
        <xsl:call-template name="coded-as"><xsl:with-param name="name" select="'Language'"/></xsl:call-template>
      </xsl:for-each>
      <InterpreterNeeded>
        <xsl:call-template name="yes-no">
          <xsl:with-param name="value" select="$patient/f:extension[@url =
            'http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired']/f:valueBoolean/@value"/>
        </xsl:call-template>
      </InterpreterNeeded>
    </Person>
  </xsl:template>

  <xsl:template match="f:name" mode="name">
    <xsl:choose>
      <xsl:when test="normalize-space(f:family/@value)">
        <xsl:for-each select="f:prefix[@value]"><Prefix><xsl:value-of select="@value"/></Prefix></xsl:for-each>
        <xsl:for-each select="f:given[@value]"><Given><xsl:value-of select="@value"/></Given></xsl:for-each>
        <Family><xsl:value-of select="f:family/@value"/></Family>
        <xsl:for-each select="f:suffix[@value]"><Suffix><xsl:value-of select="@value"/></Suffix></xsl:for-each>
      </xsl:when>
      <xsl:when test="normalize-space(f:text/@value)">
        <Whole><xsl:value-of select="f:text/@value"/></Whole>
      </xsl:when>
      <xsl:when test="f:given[normalize-space(@value)]">
        <Whole>
          <xsl:for-each select="f:given/@value">
            <xsl:if test="position() > 1"><xsl:text> </xsl:text></xsl:if>
            <xsl:value-of select="."/>
          </xsl:for-each>
        </Whole>
      </xsl:when>
    </xsl:choose>
  </xsl:template>

  <xsl:template match="f:telecom" mode="phone">
    <xsl:if test="f:value/@value and (f:system/@value = 'phone' or f:system/@value = 'sms')
                  and not(f:use/@value = 'old')">
      <Phone><xsl:call-template name="line"/></Phone>
    </xsl:if>
  </xsl:template>

  <xsl:template match="f:telecom" mode="email">
    <xsl:if test="f:value/@value and f:system/@value = 'email' and not(f:use/@value = 'old')">
      <Email><xsl:call-template name="line"/></Email>
    </xsl:if>
  </xsl:template>

  <xsl:template name="line">
    <xsl:if test="f:use/@value">
      <xsl:attribute name="use"><xsl:value-of select="f:use/@value"/></xsl:attribute>
    </xsl:if>
    <xsl:if test="f:rank/@value">
      <xsl:attribute name="rank"><xsl:value-of select="f:rank/@value"/></xsl:attribute>
    </xsl:if>
    <xsl:value-of select="f:value/@value"/>
  </xsl:template>

  <xsl:template match="f:address" mode="address">
    <xsl:variable name="parts" select="f:line/@value | f:city/@value | f:district/@value
                                       | f:postalCode/@value | f:country/@value"/>
    <xsl:if test="$parts or f:text/@value">
      <Address>
        <xsl:if test="f:use/@value">
          <xsl:attribute name="use"><xsl:value-of select="f:use/@value"/></xsl:attribute>
        </xsl:if>
        <xsl:for-each select="f:line[@value]"><Line><xsl:value-of select="@value"/></Line></xsl:for-each>
        <xsl:for-each select="f:city[@value]"><Town><xsl:value-of select="@value"/></Town></xsl:for-each>
        <xsl:for-each select="f:district[@value]"><County><xsl:value-of select="@value"/></County></xsl:for-each>
        <xsl:for-each select="f:postalCode[@value]"><Postcode><xsl:value-of select="@value"/></Postcode></xsl:for-each>
        <xsl:for-each select="f:country[@value]"><Country><xsl:value-of select="@value"/></Country></xsl:for-each>
        <xsl:if test="not($parts)"><Whole><xsl:value-of select="f:text/@value"/></Whole></xsl:if>
      </Address>
    </xsl:if>
  </xsl:template>

  <xsl:template name="practice">
    <xsl:variable name="organisation"
                  select="$resources[self::f:Organization][f:identifier[
                          substring-after(translate(f:system/@value, 'I', 'i'), '://') = $ods
                          and f:value/@value = $practice]][1]"/>
    <Practice ods="{$practice}">
      <xsl:choose>
        <xsl:when test="$organisation/f:name/@value">
          <Name><xsl:value-of select="$organisation/f:name/@value"/></Name>
        </xsl:when>
        <xsl:otherwise><NameNotKnown/></xsl:otherwise>
      </xsl:choose>
      <xsl:apply-templates select="$organisation/f:telecom" mode="phone"/>
      <xsl:apply-templates select="$organisation/f:telecom" mode="email"/>
    </Practice>
  </xsl:template>

  <!-- The requester: a role with its person, a person, or no more than a name. -->
  <xsl:template name="referrer">
    <xsl:variable name="asks" select="$request/f:requester"/>
    <xsl:variable name="role" select="key('by-url', $asks/f:reference/@value)[self::f:PractitionerRole]"/>
    <xsl:variable name="person" select="(key('by-url', $asks/f:reference/@value)
                                        | key('by-url', $role/f:practitioner/f:reference/@value))
                                        [self::f:Practitioner][1]"/>
    <xsl:variable name="name">
      <xsl:choose>
        <xsl:when test="$person/f:name/f:text/@value">
          <xsl:value-of select="$person/f:name/f:text/@value"/>
        </xsl:when>
        <xsl:when test="$person/f:name/f:family/@value">
          <xsl:for-each select="$person/f:name[1]/f:prefix/@value">
            <xsl:value-of select="concat(., ' ')"/>
          </xsl:for-each>
          <xsl:for-each select="$person/f:name[1]/f:given/@value">
            <xsl:value-of select="concat(., ' ')"/>
          </xsl:for-each>
          <xsl:value-of select="$person/f:name[1]/f:family/@value"/>
        </xsl:when>
        <xsl:when test="$role/f:practitioner/f:display/@value">
          <xsl:value-of select="$role/f:practitioner/f:display/@value"/>
        </xsl:when>
        <xsl:otherwise><xsl:value-of select="$asks/f:display/@value"/></xsl:otherwise>
      </xsl:choose>
    </xsl:variable>
    <xsl:choose>
      <xsl:when test="string($name)">
        <Referrer>
          <Name><xsl:value-of select="$name"/></Name>
          <xsl:for-each select="$role/f:code">
            <xsl:call-template name="coded-as"><xsl:with-param name="name" select="'Role'"/></xsl:call-template>
          </xsl:for-each>
          <xsl:apply-templates select="$role/f:telecom | $person/f:telecom" mode="phone"/>
          <xsl:apply-templates select="$role/f:telecom | $person/f:telecom" mode="email"/>
        </Referrer>
      </xsl:when>
      <xsl:otherwise><ReferrerNotKnown/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- ====== the criteria ====== -->

  <xsl:template name="employment">
    <Employment>
      <Status>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$employment[@url = 'status']/f:valueCodeableConcept
            /f:coding[f:system/@value = concat($own, 'CodeSystem/employment-status')]/f:code/@value"/>
        </xsl:call-template>
      </Status>
      <xsl:variable name="title">
        <xsl:for-each select="$employment[@url = 'occupation']/f:valueCodeableConcept">
          <xsl:call-template name="coded-as"><xsl:with-param name="name" select="'JobTitle'"/></xsl:call-template>
        </xsl:for-each>
      </xsl:variable>
      <xsl:copy-of select="$title"/>
      <xsl:if test="not(string($title))"><JobTitleNotKnown/></xsl:if>
      <xsl:choose>
        <xsl:when test="$employment[@url = 'employer']/f:valueString/@value">
          <Employer><xsl:value-of select="$employment[@url = 'employer']/f:valueString/@value"/></Employer>
        </xsl:when>
        <xsl:otherwise><EmployerNotKnown/></xsl:otherwise>
      </xsl:choose>
      <HoursPerWeek>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$employment[@url = 'hoursPerWeek']/f:valueDecimal/@value"/>
        </xsl:call-template>
      </HoursPerWeek>
      <PracticeIsEmployer>
        <xsl:call-template name="yes-no">
          <xsl:with-param name="value" select="$employment[@url = 'practiceIsEmployer']/f:valueBoolean/@value"/>
        </xsl:call-template>
      </PracticeIsEmployer>
    </Employment>
  </xsl:template>

  <xsl:template name="absence">
    <xsl:variable name="length" select="$absence[@url = 'expectedLength']/f:valueDuration[f:value/@value]"/>
    <Absence>
      <Status><xsl:call-template name="absence-status"/></Status>
      <FirstDay>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$absence[@url = 'start']/f:valueDate/@value"/>
        </xsl:call-template>
      </FirstDay>
      <ExpectedLength>
        <xsl:if test="$length/f:code/@value or $length/f:unit/@value">
          <xsl:attribute name="unit">
            <xsl:value-of select="$length/f:code/@value"/>
            <xsl:if test="not($length/f:code/@value)"><xsl:value-of select="$length/f:unit/@value"/></xsl:if>
          </xsl:attribute>
        </xsl:if>
        <xsl:if test="$length/f:comparator/@value">
          <xsl:attribute name="comparator"><xsl:value-of select="$length/f:comparator/@value"/></xsl:attribute>
        </xsl:if>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$length/f:value/@value"/>
        </xsl:call-template>
      </ExpectedLength>
      <ExpectedReturn>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$absence[@url = 'expectedReturn']/f:valueDate/@value"/>
        </xsl:call-template>
      </ExpectedReturn>
      <FourWeeks><xsl:call-template name="four-weeks"/></FourWeeks>
    </Absence>
  </xsl:template>

  <xsl:template name="absence-status">
    <xsl:call-template name="or-not-known">
      <xsl:with-param name="value" select="$absence[@url = 'status']/f:valueCodeableConcept
        /f:coding[f:system/@value = concat($own, 'CodeSystem/absence-status')]/f:code/@value"/>
    </xsl:call-template>
  </xsl:template>

  <!-- Days are told from whole dates only; NaN, which no comparison holds for, from any other. -->
  <xsl:template name="four-weeks">
    <xsl:variable name="status"><xsl:call-template name="absence-status"/></xsl:variable>
    <xsl:variable name="first">
      <xsl:call-template name="day"><xsl:with-param name="date" select="$absence[@url = 'start']/f:valueDate/@value"/></xsl:call-template>
    </xsl:variable>
    <xsl:variable name="back">
      <xsl:call-template name="day"><xsl:with-param name="date" select="$absence[@url = 'expectedReturn']/f:valueDate/@value"/></xsl:call-template>
    </xsl:variable>
    <xsl:variable name="today">
      <xsl:call-template name="day"><xsl:with-param name="date" select="substring($created, 1, 10)"/></xsl:call-template>
    </xsl:variable>
    <xsl:variable name="length"><xsl:call-template name="days-expected"/></xsl:variable>
    <xsl:variable name="than" select="substring($absence[@url = 'expectedLength']/f:valueDuration
                                                /f:comparator/@value, 1, 1)"/>
    <xsl:choose>
      <xsl:when test="$status != 'returned' and $status != 'at-work' and $today - $first >= 28">reached</xsl:when>
      <xsl:when test="$back - $first >= 28">expected</xsl:when>
      <xsl:when test="28 > $back - $first">not-expected</xsl:when>
      <xsl:when test="$length >= 28 and $than != '&lt;'">expected</xsl:when>
      <xsl:when test="28 > $length and $than != '>'">not-expected</xsl:when>
      <xsl:otherwise>not-known</xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- A month is 28 days at the least. -->
  <xsl:template name="days-expected">
    <xsl:variable name="length" select="$absence[@url = 'expectedLength']/f:valueDuration"/>
    <xsl:variable name="unit" select="$length/f:code/@value"/>
    <xsl:choose>
      <xsl:when test="not($length/f:system/@value = 'http://unitsofmeasure.org')">NaN</xsl:when>
      <xsl:when test="$unit = 'd'"><xsl:value-of select="number($length/f:value/@value)"/></xsl:when>
      <xsl:when test="$unit = 'wk'"><xsl:value-of select="7 * $length/f:value/@value"/></xsl:when>
      <xsl:when test="$unit = 'mo' and $length/f:value/@value >= 1">28</xsl:when>
      <xsl:otherwise>NaN</xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- The number of a day, counted from one day for all. Source: the Julian day number. -->
  <xsl:template name="day">
    <xsl:param name="date"/>
    <xsl:choose>
      <xsl:when test="string-length($date) = 10">
        <xsl:variable name="early" select="floor((14 - substring($date, 6, 2)) div 12)"/>
        <xsl:variable name="year" select="substring($date, 1, 4) + 4800 - $early"/>
        <xsl:variable name="month" select="substring($date, 6, 2) + 12 * $early - 3"/>
        <xsl:value-of select="substring($date, 9, 2) + floor((153 * $month + 2) div 5) + 365 * $year
                              + floor($year div 4) - floor($year div 100) + floor($year div 400)"/>
      </xsl:when>
      <xsl:otherwise>NaN</xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="fit-notes">
    <xsl:variable name="notes">
      <xsl:for-each select="$request/f:extension[@url = concat($own, 'StructureDefinition/fit-note')]">
        <xsl:call-template name="fit-note">
          <xsl:with-param name="statement" select="f:extension[@url = 'statement']/f:valueCodeableConcept"/>
          <xsl:with-param name="assessed" select="f:extension[@url = 'issued']/f:valueDate/@value"/>
          <xsl:with-param name="period" select="f:extension[@url = 'period']/f:valuePeriod"/>
        </xsl:call-template>
      </xsl:for-each>
      <xsl:for-each select="$resources[self::f:Observation][f:code/f:coding[
                            contains(concat($not-fit, $may-be-fit), concat(' ', f:code/@value, ' '))]]">
        <xsl:call-template name="fit-note">
          <xsl:with-param name="statement" select="f:code"/>
          <xsl:with-param name="assessed" select="f:issued/@value | f:effectiveDateTime/@value"/>
          <xsl:with-param name="period" select="f:effectivePeriod"/>
        </xsl:call-template>
      </xsl:for-each>
    </xsl:variable>
    <FitNotes>
      <xsl:copy-of select="$notes"/>
      <xsl:if test="not(string($notes))"><NoneSent/></xsl:if>
    </FitNotes>
  </xsl:template>

  <xsl:template name="fit-note">
    <xsl:param name="statement"/>
    <xsl:param name="assessed"/>
    <xsl:param name="period"/>
    <FitNote>
      <Says>
        <xsl:choose>
          <xsl:when test="$statement/f:coding[contains($not-fit, concat(' ', f:code/@value, ' '))]">not-fit</xsl:when>
          <xsl:when test="$statement/f:coding[contains($may-be-fit, concat(' ', f:code/@value, ' '))]">may-be-fit</xsl:when>
          <xsl:otherwise>other</xsl:otherwise>
        </xsl:choose>
      </Says>
      <Statement>
        <xsl:for-each select="$statement"><xsl:call-template name="coded"/></xsl:for-each>
      </Statement>
      <AssessedOn>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="substring($assessed, 1, 10)"/>
        </xsl:call-template>
      </AssessedOn>
      <From>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="substring($period/f:start/@value, 1, 10)"/>
        </xsl:call-template>
      </From>
      <To>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="substring($period/f:end/@value, 1, 10)"/>
        </xsl:call-template>
      </To>
    </FitNote>
  </xsl:template>

  <xsl:template name="adjustments">
    <xsl:variable name="suggested"
                  select="$request/f:extension[@url = concat($own, 'StructureDefinition/suggested-adjustment')]
                          /f:valueCodeableConcept
                          | $resources[self::f:Observation]/f:code[f:coding[
                            contains($adjustments, concat(' ', f:code/@value, ' '))]]"/>
    <Adjustments>
      <xsl:for-each select="$suggested">
        <Adjustment>
          <xsl:attribute name="kind">
            <xsl:choose>
              <xsl:when test="f:coding/f:code/@value = '775281000000100'">phased-return</xsl:when>
              <xsl:when test="f:coding/f:code/@value = '775301000000104'">altered-hours</xsl:when>
              <xsl:when test="f:coding/f:code/@value = '775321000000108'">amended-duties</xsl:when>
              <xsl:when test="f:coding/f:code/@value = '775351000000103'">workplace-adaptation</xsl:when>
              <xsl:otherwise>other</xsl:otherwise>
            </xsl:choose>
          </xsl:attribute>
          <xsl:call-template name="coded"/>
        </Adjustment>
      </xsl:for-each>
      <xsl:if test="not($suggested)"><NoneSent/></xsl:if>
    </Adjustments>
  </xsl:template>

  <!-- ====== why ====== -->

  <xsl:template name="reason">
    <xsl:variable name="led-to" select="key('by-url', $request/f:reasonReference/f:reference/@value)"/>
    <xsl:variable name="reasons">
      <xsl:for-each select="$request/f:reasonCode">
        <xsl:if test="f:coding/f:code/@value or f:coding/f:display/@value or f:text/@value">
          <Item role="reason"><xsl:call-template name="coded"/></Item>
        </xsl:if>
      </xsl:for-each>
      <xsl:for-each select="$request/f:reasonReference[f:display/@value
                            and not(key('by-url', f:reference/@value))]">
        <Item role="reason"><Text><xsl:value-of select="f:display/@value"/></Text></Item>
      </xsl:for-each>
      <xsl:apply-templates select="$led-to" mode="item">
        <xsl:with-param name="role" select="'reason'"/>
      </xsl:apply-templates>
      <xsl:apply-templates select="$resources[self::f:Condition]
                                   [count(. | $led-to) > count($led-to)]" mode="item">
        <xsl:with-param name="role" select="'background'"/>
      </xsl:apply-templates>
      <xsl:for-each select="$request/f:note/f:text[@value] | $request/f:patientInstruction[@value]">
        <Note><xsl:value-of select="@value"/></Note>
      </xsl:for-each>
    </xsl:variable>
    <Reason>
      <xsl:for-each select="$request/f:code">
        <xsl:call-template name="coded-as"><xsl:with-param name="name" select="'Requested'"/></xsl:call-template>
      </xsl:for-each>
      <Urgency>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$request/f:priority/@value"/>
        </xsl:call-template>
      </Urgency>
      <WantedBy>
        <xsl:call-template name="or-not-known">
          <xsl:with-param name="value" select="$request/f:occurrencePeriod/f:end/@value
                                               | $request/f:occurrenceDateTime/@value"/>
        </xsl:call-template>
      </WantedBy>
      <xsl:if test="normalize-space($reasons)"><xsl:copy-of select="$reasons"/></xsl:if>
      <xsl:if test="not(normalize-space($reasons)) and $resources[self::f:DocumentReference or self::f:Binary]">
        <SeeDocuments/>
      </xsl:if>
    </Reason>
  </xsl:template>

  <xsl:template match="f:Condition | f:Observation | f:DiagnosticReport" mode="item">
    <xsl:param name="role"/>
    <xsl:if test="f:code/f:coding/f:code/@value or f:code/f:coding/f:display/@value or f:code/f:text/@value">
      <Item role="{$role}">
        <xsl:call-template name="item-attributes"/>
        <xsl:for-each select="f:code"><xsl:call-template name="coded"/></xsl:for-each>
        <xsl:variable name="value"><xsl:call-template name="value"/></xsl:variable>
        <xsl:if test="string($value)"><Value><xsl:value-of select="$value"/></Value></xsl:if>
        <xsl:for-each select="f:note/f:text[@value]"><Note><xsl:value-of select="@value"/></Note></xsl:for-each>
      </Item>
    </xsl:if>
  </xsl:template>

  <xsl:template match="*" mode="item"/>

  <xsl:template name="item-attributes">
    <xsl:variable name="since" select="f:onsetDateTime/@value | f:onsetPeriod/f:start/@value
                                       | f:effectiveDateTime/@value"/>
    <xsl:if test="$since">
      <xsl:attribute name="since"><xsl:value-of select="$since"/></xsl:attribute>
    </xsl:if>
    <xsl:if test="f:clinicalStatus/f:coding/f:code/@value">
      <xsl:attribute name="status"><xsl:value-of select="f:clinicalStatus/f:coding/f:code/@value"/></xsl:attribute>
    </xsl:if>
    <xsl:if test="f:verificationStatus/f:coding/f:code/@value">
      <xsl:attribute name="certainty">
        <xsl:value-of select="f:verificationStatus/f:coding/f:code/@value"/>
      </xsl:attribute>
    </xsl:if>
  </xsl:template>

  <!-- What an Observation found, or what a report concludes, in words. -->
  <xsl:template name="value">
    <xsl:choose>
      <xsl:when test="f:valueQuantity">
        <xsl:value-of select="concat(f:valueQuantity/f:comparator/@value, f:valueQuantity/f:value/@value)"/>
        <xsl:if test="f:valueQuantity/f:unit/@value">
          <xsl:value-of select="concat(' ', f:valueQuantity/f:unit/@value)"/>
        </xsl:if>
      </xsl:when>
      <xsl:when test="f:valueCodeableConcept/f:text/@value">
        <xsl:value-of select="f:valueCodeableConcept/f:text/@value"/>
      </xsl:when>
      <xsl:when test="f:valueCodeableConcept/f:coding/f:display/@value">
        <xsl:value-of select="f:valueCodeableConcept/f:coding/f:display/@value"/>
      </xsl:when>
      <xsl:otherwise>
        <xsl:value-of select="f:valueString/@value | f:valueBoolean/@value | f:valueInteger/@value
                              | f:valueDateTime/@value | f:conclusion/@value"/>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <!-- ====== consents ====== -->

  <xsl:template name="consent">
    <Consent>
      <ToRefer>
        <Answer>yes</Answer>
        <GivenAt>
          <xsl:call-template name="or-not-known"><xsl:with-param name="value" select="$consent-given-at"/></xsl:call-template>
        </GivenAt>
        <Evidence><xsl:value-of select="$consent-evidence"/></Evidence>
      </ToRefer>
      <ToSharePlan>
        <WithEmployer>
          <Answer><xsl:value-of select="$share-with-employer"/></Answer>
          <xsl:if test="$share-with-employer = 'yes'">
            <xsl:apply-templates mode="with"
              select="$resources[self::f:Consent][f:status/@value = 'active']
                      [f:category/f:coding[f:system/@value = concat($own, 'CodeSystem/consent-kind')
                                           and f:code/@value = 'share-plan']]
                      /f:provision[f:purpose[f:system/@value = concat($own, 'CodeSystem/purpose')
                                             and f:code/@value = 'employment-report']]
                      /f:actor/f:reference"/>
          </xsl:if>
        </WithEmployer>
        <WithPractice><Answer><xsl:value-of select="$share-with-practice"/></Answer></WithPractice>
      </ToSharePlan>
    </Consent>
  </xsl:template>

  <xsl:template match="f:reference" mode="with">
    <xsl:variable name="organisation" select="key('by-url', f:reference/@value)[self::f:Organization]"/>
    <xsl:variable name="code" select="(f:identifier | $organisation/f:identifier)
                                      [substring-after(translate(f:system/@value, 'I', 'i'), '://') = $ods]
                                      /f:value/@value"/>
    <With>
      <xsl:if test="$code"><xsl:attribute name="ods"><xsl:value-of select="$code"/></xsl:attribute></xsl:if>
      <xsl:choose>
        <xsl:when test="$organisation/f:name/@value"><Name><xsl:value-of select="$organisation/f:name/@value"/></Name></xsl:when>
        <xsl:when test="f:display/@value"><Name><xsl:value-of select="f:display/@value"/></Name></xsl:when>
        <xsl:otherwise><NameNotKnown/></xsl:otherwise>
      </xsl:choose>
    </With>
  </xsl:template>

  <!-- ====== what comes with it ====== -->

  <xsl:template name="documents">
    <Documents>
      <xsl:for-each select="$resources[self::f:DocumentReference]/f:content/f:attachment">
        <xsl:variable name="about" select="../.."/>
        <xsl:variable name="binary" select="key('by-url', f:url/@value)[self::f:Binary]"/>
        <Document>
          <xsl:call-template name="title">
            <xsl:with-param name="title" select="f:title/@value"/>
            <xsl:with-param name="description" select="$about/f:description/@value"/>
          </xsl:call-template>
          <xsl:for-each select="$about/f:type">
            <xsl:call-template name="coded-as"><xsl:with-param name="name" select="'Kind'"/></xsl:call-template>
          </xsl:for-each>
          <Date>
            <xsl:call-template name="first-of">
              <xsl:with-param name="one" select="f:creation/@value"/>
              <xsl:with-param name="other" select="$about/f:date/@value"/>
            </xsl:call-template>
          </Date>
          <MediaType>
            <xsl:call-template name="first-of">
              <xsl:with-param name="one" select="f:contentType/@value"/>
              <xsl:with-param name="other" select="$binary/f:contentType/@value"/>
            </xsl:call-template>
          </MediaType>
          <xsl:call-template name="content">
            <xsl:with-param name="data" select="f:data/@value | $binary/f:data/@value"/>
          </xsl:call-template>
        </Document>
      </xsl:for-each>
      <xsl:for-each select="$resources[self::f:Binary]">
        <xsl:variable name="names" select="../../f:fullUrl/@value"/>
        <xsl:variable name="relative" select="concat('Binary/', f:id/@value)"/>
        <xsl:if test="not($resources[self::f:DocumentReference]/f:content/f:attachment/f:url[
                      @value = $names or @value = $relative or @value = concat('#', current()/f:id/@value)])">
          <Document>
            <TitleNotKnown/>
            <Date>not-known</Date>
            <MediaType><xsl:value-of select="f:contentType/@value"/></MediaType>
            <xsl:call-template name="content"><xsl:with-param name="data" select="f:data/@value"/></xsl:call-template>
          </Document>
        </xsl:if>
      </xsl:for-each>
    </Documents>
  </xsl:template>

  <xsl:template name="title">
    <xsl:param name="title"/>
    <xsl:param name="description"/>
    <xsl:choose>
      <xsl:when test="$title"><Title><xsl:value-of select="$title"/></Title></xsl:when>
      <xsl:when test="$description"><Title><xsl:value-of select="$description"/></Title></xsl:when>
      <xsl:otherwise><TitleNotKnown/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="content">
    <xsl:param name="data"/>
    <xsl:choose>
      <xsl:when test="$data"><Content><xsl:value-of select="$data"/></Content></xsl:when>
      <xsl:otherwise><ContentNotSent/></xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="not-carried">
    <xsl:variable name="reasons" select="key('by-url', $request/f:reasonReference/f:reference/@value)"/>
    <NotCarried>
      <xsl:for-each select="/f:Bundle/f:entry/f:resource/*[not(self::f:ServiceRequest)]/f:contained/*">
        <Part><xsl:value-of select="local-name()"/></Part>
      </xsl:for-each>
      <xsl:for-each select="$resources[not(self::f:ServiceRequest or self::f:Patient or self::f:MessageHeader
                            or self::f:Consent or self::f:Condition or self::f:DocumentReference
                            or self::f:Binary or self::f:Organization or self::f:Practitioner
                            or self::f:PractitionerRole or self::f:HealthcareService)]">
        <xsl:if test="count(. | $reasons) > count($reasons)
                      or not(self::f:Observation or self::f:DiagnosticReport)">
          <xsl:if test="not(self::f:Observation and f:code/f:coding[contains(
                        concat($not-fit, $may-be-fit, $adjustments), concat(' ', f:code/@value, ' '))])">
            <Part><xsl:value-of select="local-name()"/></Part>
          </xsl:if>
        </xsl:if>
      </xsl:for-each>
    </NotCarried>
  </xsl:template>

  <!-- ====== kinds of value ====== -->

  <!-- The codes of a CodeableConcept, then its words: its text, else those beside no code. -->
  <xsl:template name="coded">
    <xsl:for-each select="f:coding[f:code/@value]"><xsl:call-template name="code"/></xsl:for-each>
    <xsl:choose>
      <xsl:when test="f:text/@value"><Text><xsl:value-of select="f:text/@value"/></Text></xsl:when>
      <xsl:when test="f:coding[not(f:code/@value)]/f:display/@value">
        <Text><xsl:value-of select="f:coding[not(f:code/@value)]/f:display/@value"/></Text>
      </xsl:when>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="code">
    <Code>
      <xsl:if test="f:system/@value">
        <xsl:attribute name="system"><xsl:value-of select="f:system/@value"/></xsl:attribute>
      </xsl:if>
      <xsl:if test="f:display/@value">
        <xsl:attribute name="display"><xsl:value-of select="f:display/@value"/></xsl:attribute>
      </xsl:if>
      <xsl:value-of select="f:code/@value"/>
    </Code>
  </xsl:template>

  <xsl:template name="coded-as">
    <xsl:param name="name"/>
    <xsl:if test="f:coding/f:code/@value or f:coding/f:display/@value or f:text/@value">
      <xsl:element name="{$name}"><xsl:call-template name="coded"/></xsl:element>
    </xsl:if>
  </xsl:template>

  <xsl:template name="or-not-known">
    <xsl:param name="value"/>
    <xsl:choose>
      <xsl:when test="string($value)"><xsl:value-of select="$value"/></xsl:when>
      <xsl:otherwise>not-known</xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="first-of">
    <xsl:param name="one"/>
    <xsl:param name="other"/>
    <xsl:choose>
      <xsl:when test="$one"><xsl:value-of select="$one"/></xsl:when>
      <xsl:otherwise>
        <xsl:call-template name="or-not-known"><xsl:with-param name="value" select="$other"/></xsl:call-template>
      </xsl:otherwise>
    </xsl:choose>
  </xsl:template>

  <xsl:template name="yes-no">
    <xsl:param name="value"/>
    <xsl:choose>
      <xsl:when test="$value = 'true'">yes</xsl:when>
      <xsl:when test="$value = 'false'">no</xsl:when>
      <xsl:otherwise>not-known</xsl:otherwise>
    </xsl:choose>
  </xsl:template>
</xsl:stylesheet>
